"""Experiments and caches, shared."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.servers.clones import NOTHING_TO_SEND, UP_TO_DATE, Clone
from tests.servers.store import Store

FOLDER = pytest.mark.parametrize("running", ["folder"], indirect=True)


@FOLDER
def test_an_experiment_takes_its_data_along(
    clone: Clone, store: Store, fresh: Clone, tmp_path: Path
) -> None:
    for person in (clone, fresh):
        person.git("remote", "remove", "origin")
        person.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    clone.git("init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    clone.git("push", "--quiet", "origin", "HEAD")
    picture = clone.folder / "plots/embedding.png"
    picture.write_bytes(picture.read_bytes() + b"\0")
    clone.dvc("commit", "--force", "evaluate")
    clone.dvc("exp", "save", "--name", "idea")
    assert NOTHING_TO_SEND not in clone.dvc("exp", "push", "origin", "idea")
    assert {*clone.sent().values()} == {*store.objects()}

    fresh.dvc("pull", "--remote=embedded")
    fresh.dvc("exp", "pull", "origin", "idea")
    fresh.dvc("exp", "apply", "idea")
    assert fresh.there() == clone.outputs()


@FOLDER
def test_two_clones_use_one_cache(clone: Clone, fresh: Clone, tmp_path: Path) -> None:
    for person in (clone, fresh):
        person.dvc("cache", "dir", "--local", str(tmp_path / "cache"))
        person.dvc("config", "--local", "cache.shared", "group")
    clone.dvc("pull", "--remote=embedded")
    fresh.dvc("checkout")
    assert fresh.there() == clone.outputs()
    assert UP_TO_DATE in fresh.dvc("status")
    for folder in (tmp_path / "cache/files/md5").iterdir():
        assert folder.stat().st_mode & stat.S_IWGRP
