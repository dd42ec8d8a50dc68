"""Stages that do not train, as programs."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from crosscam.program import alone, as_program


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_another_process_at_the_same_stage_is_waited_for(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    order = []

    def second() -> None:
        with alone("split"):
            order.append("second")

    with alone("split"):
        (lock,) = (folder / ".runs").iterdir()
        thread = threading.Thread(target=second)
        thread.start()
        while "waiting for it to end" not in caplog.text:
            thread.join(0.01)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert caplog.text.count("waiting") == 1
    assert lock.name.startswith("split-")
    assert not any((folder / ".runs").iterdir())


def test_other_stages_and_other_workspaces_wait_for_nobody(folder: Path) -> None:
    temporary = folder / ".dvc/tmp/exps/one"
    with alone("split"), alone("unzip"), alone("split", temporary):
        assert len([*(folder / ".runs").iterdir()]) == 3


def test_an_error_that_says_what_to_do_is_one_line(folder: Path) -> None:
    with pytest.raises(SystemExit, match=r"^do this$"), as_program("a", ValueError):
        raise ValueError("do this")
    with pytest.raises(KeyError), as_program("a", ValueError):
        raise KeyError("what?")
    with pytest.raises(SystemExit, match=r"^mine$"), as_program("a", OSError):
        raise FileNotFoundError("mine")
    told = r"^data/b: no such file: run dvc repro$"
    with pytest.raises(SystemExit, match=told), as_program("a", OSError):
        Path("data/b").read_bytes()
    assert not any((folder / ".runs").iterdir()), "whatever comes, nobody is kept out"


def test_a_lock_that_cannot_be_made_is_told(folder: Path) -> None:
    (folder / ".runs").touch()
    with pytest.raises(SystemExit, match="File exists"), as_program("a", OSError):
        pytest.fail("it is not alone")


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
