"""WebDAV, by wsgidav."""

from __future__ import annotations

import json
from pathlib import Path

from tests.servers.clones import Clone
from tests.servers.relay import HERE
from tests.servers.server import Server, installed


class WebDAV(Server):
    """It wants a password."""

    commands = (
        "dvc remote add --local -d mine webdav://{host}:{port}/runs",
        "dvc remote modify --local mine user {user}",
        "dvc remote modify --local mine password {password}",
    )
    down = "Connection refused"
    refused = "401 (Not Authorized)"
    whole = False  # DVC and wsgidav write at once under the final name

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.values |= {"user": "me", "password": "secret"}
        config = {
            "host": HERE,
            "port": self.relay.target,
            "server": "cheroot",
            "provider_mapping": {"/runs": str(self.folder)},
            "simple_dc": {"user_mapping": {"*": {"me": {"password": "secret"}}}},
            "http_authenticator": {"accept_digest": False, "default_to_digest": False},
        }
        (folder / "config.json").write_text(json.dumps(config))

    def process(self) -> list[str]:
        return [installed("wsgidav"), "--config", str(self.home / "config.json")]

    def refuse(self, clone: Clone) -> None:
        """Give a clone a wrong password."""
        clone.dvc("remote", "modify", "--local", "mine", "password", "wrong")
