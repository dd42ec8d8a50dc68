"""A folder as web servers show it: for reading."""

from __future__ import annotations

import sys

from tests.servers.relay import HERE
from tests.servers.server import Server


class Web(Server):
    """Python's own web server."""

    commands = ("dvc remote add --local -d mine http://{host}:{port}",)

    def process(self) -> list[str]:
        where = ("--bind", HERE, "--directory", str(self.folder))
        return [sys.executable, "-m", "http.server", *where, str(self.relay.target)]
