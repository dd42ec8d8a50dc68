"""A store that a process serves, at the far end of a relay."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.servers.clones import ROOT
from tests.servers.relay import HERE, Relay, free_port
from tests.servers.store import MEGABYTE, Store


class Server(Store, ABC):
    """What all servers share: they start, die and come back."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.home = folder
        self.relay = Relay(free_port())
        self.values |= {"host": HERE, "port": self.relay.port}
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def process(self) -> list[str]:
        """Return the command of the server, which listens at the relay's target."""

    def start(self) -> None:
        if self._process:
            return
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.process(), cwd=self.home, stdout=log, stderr=log
            )
        self._wait()
        self.relay.plug()

    def stop(self) -> None:
        """Kill the server at once, as a power cut does."""
        if not self._process:
            return
        children = psutil.Process(self._process.pid).children(recursive=True)
        for process in (self._process, *children):
            process.kill()
        self._process.wait()
        self._process = None
        self.relay.unplug()

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Let what is sent in this block break off: the server dies in its midst."""
        dead = self.relay.cut_after(12 * MEGABYTE, self.stop)
        try:
            yield
        finally:
            dead.wait(10)
            self.start()

    def _wait(self) -> None:
        """Return as soon as the server listens."""
        assert self._process
        for _ in range(600):
            if self._process.poll() is not None:
                break
            try:
                socket.create_connection((HERE, self.relay.target)).close()
            except ConnectionRefusedError:
                time.sleep(0.1)
            else:
                return
        log = (self.home / "log").read_text()
        pytest.fail(f"{self._process.args!r} does not listen:\n{log}", pytrace=False)


def program(name: str, package: str) -> str:
    """Return the path of a system's program, also of one for root."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if not path:
        pytest.fail(
            f"{name} is missing: apt-get install {package} (Debian and Ubuntu)",
            pytrace=False,
        )
    return path


def installed(name: str) -> str:
    """Return the path of a program in the servers' own environment."""
    path = Path(os.environ.get("MOTO", ROOT / ".venv-moto"), "bin", name)
    if not path.exists():
        pytest.fail(f"{path} is missing: run make servers", pytrace=False)
    return str(path)
