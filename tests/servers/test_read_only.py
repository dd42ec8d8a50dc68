"""A store behind a web server: everybody may take, nobody may bring."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.clones import NOTHING_TO_SEND, UP_TO_DATE, Clone
from tests.servers.web import Web


@pytest.fixture
def web(run: Clone, tmp_path: Path) -> Iterator[Web]:
    (tmp_path / "web").mkdir()
    made = Web(tmp_path / "web")
    shutil.copytree(run.folder / ".dvc-store", made.folder, dirs_exist_ok=True)
    made.start()
    yield made
    made.stop()


def test_a_run_comes_and_none_goes(run: Clone, web: Web, tmp_path: Path) -> None:
    fresh = run.clone(tmp_path / "fresh")
    web.name_to(fresh)
    fresh.dvc("pull")
    assert fresh.there() == run.outputs()
    assert UP_TO_DATE in fresh.dvc("status")
    assert NOTHING_TO_SEND in fresh.dvc("push")

    picture = fresh.folder / "plots/embedding.png"
    picture.write_bytes(picture.read_bytes() + b"\0")
    fresh.dvc("commit", "--force", "evaluate")
    before = fresh.there()
    assert "1 files failed to upload" in fresh.dvc("push", fails=True)
    assert fresh.there() == before == fresh.outputs()
    assert web.objects().keys() == {*run.outputs().values()}


def test_a_server_that_is_down(run: Clone, web: Web, tmp_path: Path) -> None:
    """DVC takes the silence for missing files."""
    fresh = run.clone(tmp_path / "fresh")
    web.name_to(fresh)
    web.stop()
    assert "Missing cache files" in fresh.dvc("pull", fails=True)
    assert fresh.there() == {}
