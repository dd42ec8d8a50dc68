"""What holds for every test: one thread, no network, the same examples every time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# Before the first import of numpy or torch, which read it once. Sums over threads round
# differently, and the pipeline's own tests start children that must agree with this.
os.environ["OMP_NUM_THREADS"] = "1"

# What `make test` was told is not for the make that a test runs.
for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS", "WORKERS"):
    os.environ.pop(name, None)

settings.register_profile(
    "default", max_examples=30, deadline=None, derandomize=True, database=None
)
settings.register_profile("deep", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that run the pipeline first: at the end one worker would wait."""
    slow = {item.path for item in items if item.get_closest_marker("pipeline")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse to connect to anything but this machine's own sockets."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            pytest.fail(f"a test tried to reach {address!r}: tests use no network")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        yield
