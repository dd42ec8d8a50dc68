"""A dataset's images stay on their machine until their owner says otherwise."""

from __future__ import annotations

import re

from tests.servers.clones import KEPT_BACK, Clone, md5
from tests.servers.store import Store

ZIP = "data/mine/raw/mine.zip"


def test_images_are_sent_on_purpose_only(clone: Clone, store: Store) -> None:
    synthetic = clone.folder / "data/synthetic/raw/synthetic.zip"
    data = synthetic.read_bytes() + b"\0"  # another archive than the published one
    (clone.folder / ZIP).parent.mkdir(parents=True)
    (clone.folder / ZIP).write_bytes(data)
    replace(clone, "params.yaml", "data/synthetic/raw/synthetic.zip", ZIP)
    clone.dvc("commit", "--force", "unzip")  # as if it had run
    assert md5(data) in (clone.folder / "dvc.lock").read_text()
    images = {clone.outputs()[path] for path in KEPT_BACK}

    told = re.findall(r"new: +(\S+)", clone.dvc("status", "--cloud"))
    assert {*told} == {*clone.sent()}
    clone.dvc("push", "--run-cache")
    assert {*clone.sent().values()} <= {*store.objects()}
    assert not (images | {md5(data)}) & {*store.objects()}

    clone.dvc("add", ZIP)
    replace(clone, "dvc.yaml", "push: false", "push: true")
    assert "4 files pushed" in clone.dvc("push")
    assert images | {md5(data)} <= {*store.objects()}


def replace(clone: Clone, path: str, old: str, new: str) -> None:
    text = (clone.folder / path).read_text()
    assert old in text
    (clone.folder / path).write_text(text.replace(old, new))
