"""The finished run, and the places to keep it in, each started once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.clones import ROOT, Clone
from tests.servers.s3 import S3
from tests.servers.ssh import SSH
from tests.servers.store import Store
from tests.servers.webdav import WebDAV

STORES = {"folder": Store, "ssh": SSH, "s3": S3, "webdav": WebDAV}


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return a clone of what is committed, with every output in its place."""
    made = Clone(ROOT).clone(tmp_path_factory.mktemp("run") / "run")
    made.dvc("pull")
    assert made.there() == made.outputs()
    return made


@pytest.fixture(scope="session", params=STORES)
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Return each place in turn."""
    made = STORES[request.param](tmp_path_factory.mktemp(request.param))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def store(running: Store) -> Store:
    """Return each place in turn, empty."""
    running.start()  # where the test before has failed
    running.empty()
    return running


@pytest.fixture
def clone(run: Clone, store: Store, tmp_path: Path) -> Clone:
    """Return a copy of the finished run that has the store for a remote."""
    made = run.copy(tmp_path / "clone")
    store.name_to(made)
    return made


@pytest.fixture
def fresh(run: Clone, store: Store, tmp_path: Path) -> Clone:
    """Return a fresh clone, of somebody else, that has the same remote."""
    made = run.clone(tmp_path / "fresh")
    store.name_to(made)
    return made
