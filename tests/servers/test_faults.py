"""What is refused, breaks off or is damaged is told; nothing is lost; all is mended."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.servers.clones import NOTHING_TO_SEND, ROOT, Clone
from tests.servers.s3 import S3
from tests.servers.server import program
from tests.servers.ssh import SSH
from tests.servers.store import Store
from tests.servers.webdav import WebDAV

PAGE = ROOT / "docs/remotes.md"


def check(clone: Clone) -> set[str]:
    """Run the check of a store that the documentation has; return what it removed."""
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    output = clone.run("python", "-c", script)
    return {*re.findall(r"^removed (\S+)$", output, re.MULTILINE)}


def test_a_server_that_is_down(clone: Clone, store: Store, fresh: Clone) -> None:
    store.stop()
    assert store.down in clone.dvc("push", fails=True)
    assert clone.there() == clone.outputs()
    assert store.down in fresh.dvc("pull", fails=True)
    store.start()
    clone.dvc("push")
    assert {*store.objects()} == {*clone.sent().values()}


@pytest.mark.parametrize("running", ["ssh", "s3", "webdav"], indirect=True)
def test_wrong_credentials(
    clone: Clone, store: SSH | S3 | WebDAV, fresh: Clone
) -> None:
    store.refuse(clone)
    shutil.copy(clone.folder / ".dvc/config.local", fresh.folder / ".dvc")
    assert store.refused in clone.dvc("push", fails=True)
    assert store.objects() == {}
    assert clone.there() == clone.outputs()
    assert store.refused in fresh.dvc("pull", fails=True)


def test_a_push_that_breaks_off(clone: Clone, store: Store) -> None:
    sent = {*clone.sent().values()}
    with store.failing():
        output = clone.dvc("push", fails=True)
    assert re.search("failed to transfer|unexpected error", output)
    assert {*store.objects()} < sent or store.damaged()
    assert clone.there() == clone.outputs()

    # The same again sends the rest; what was half done, the check removes.
    clone.dvc("push")
    assert sent <= {*store.objects()}
    left = store.damaged()
    assert not (store.whole and left & sent)
    assert check(clone) == left
    clone.dvc("push")
    assert {*store.objects()} == sent
    assert not store.damaged()


def test_a_damaged_store_is_found_and_mended(
    clone: Clone, store: Store, fresh: Clone
) -> None:
    clone.dvc("push")
    path = "models/inter.safetensors"
    name = clone.outputs()[path]
    store.damage(name)
    assert NOTHING_TO_SEND in clone.dvc("push"), "it looks at names alone"

    assert path in fresh.dvc("pull", fails=True)
    assert path not in fresh.there()
    assert check(fresh) == {name}
    assert name not in store.objects()
    assert "1 file pushed" in clone.dvc("push")
    assert not store.damaged()


def test_a_program_that_is_missing_fails_in_a_line() -> None:
    with pytest.raises(pytest.fail.Exception, match="apt-get install openssh-server"):
        program("no-sshd", "openssh-server")
