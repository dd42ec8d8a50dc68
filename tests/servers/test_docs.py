"""What docs/remotes.md has people type, and DVC say, is what it is in these tests."""

from __future__ import annotations

import pytest

from tests.servers.clones import ROOT
from tests.servers.conftest import STORES
from tests.servers.s3 import S3
from tests.servers.ssh import SSH
from tests.servers.store import Store
from tests.servers.web import Web
from tests.servers.webdav import WebDAV

PAGE = (ROOT / "docs/remotes.md").read_text()
WORDS = {
    "folder": "/srv/reid",
    "user": "me",
    "host": "server",
    "key": "~/.ssh/id_ed25519",
    "password": "secret",
}
PORTS = {SSH: 22, S3: 9000, WebDAV: 8080, Web: 8000}


@pytest.mark.parametrize("kind", [*STORES.values(), Web])
def test_the_commands_are_those_of_the_tests(kind: type[Store]) -> None:
    lines = [line.split("  #")[0].rstrip() for line in PAGE.splitlines()]
    for command in (*kind.commands, kind.verify):
        assert command.format_map(WORDS | {"port": PORTS.get(kind)}) in lines


@pytest.mark.parametrize("kind", STORES.values())
def test_the_messages_are_those_that_the_tests_meet(kind: type[Store]) -> None:
    assert kind.down in PAGE
    assert kind.refused in PAGE
