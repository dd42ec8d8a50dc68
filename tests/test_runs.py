from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from crosscam.locks import locked, remove_stale
from crosscam.runs import (
    MARK,
    mark_finished,
    remove_noted,
    runs_folder,
    workspace_runs,
)

NETWORK = b"network"
LOCK = (
    "schema: '2.0'\nstages:\n  intra:\n    outs:\n    - path: network\n"
    f"      md5: {hashlib.md5(NETWORK, usedforsecurity=False).hexdigest()}\n"
)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return the folder of a run that has ended in this workspace, started by DVC."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CROSSCAM_RUNS", raising=False)
    monkeypatch.setenv("DVC_STAGE", "intra")
    folder = tmp_path / ".runs/intra-0"
    folder.mkdir(parents=True)
    (folder / "state.safetensors").write_bytes(b"state")
    Path("network").write_bytes(NETWORK)
    mark_finished(folder, Path("network"))
    return folder


def test_locks_of_another_user_are_left_alone(tmp_path, monkeypatch):
    """Whose files in a shared folder are not ours to open."""
    opened = Path.open

    def refused(path, *given, **named):
        if path.name == "theirs.lock":
            raise PermissionError(13, "Permission denied")
        return opened(path, *given, **named)

    for name in ("theirs.lock", "ours.lock"):
        (tmp_path / name).touch()
    monkeypatch.setattr(Path, "open", refused)
    remove_stale(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.lock"]


def test_without_dvc_nobody_will_note_it(run, monkeypatch):
    monkeypatch.delenv("DVC_STAGE")
    mark_finished(run, Path("network"))
    assert not run.exists()


def test_a_run_goes_once_its_result_is_noted(run, tmp_path):
    remove_noted(tmp_path)  # there is no lock
    assert run.exists()
    other = hashlib.md5(b"other", usedforsecurity=False).hexdigest()
    Path("dvc.lock").write_text(LOCK.replace(LOCK[-33:-1], other))
    remove_noted(tmp_path)  # the lock has another result
    assert run.exists()
    Path("dvc.lock").write_text(LOCK)
    remove_noted(tmp_path)
    assert list((tmp_path / ".runs").iterdir()) == []


def test_the_lock_that_counts_is_that_of_its_own_workspace(run, tmp_path):
    other = tmp_path / ".dvc/tmp/exps/other"
    other.mkdir(parents=True)
    (other / "dvc.lock").write_text(LOCK)
    remove_noted(other)
    assert run.exists()


def test_an_earlier_run_of_the_same_result_notes_nothing(run, tmp_path):
    """Other code, say, that came to the same bytes: the lock still has the old deps."""
    lock = Path("dvc.lock")
    lock.write_text(LOCK)
    mark_finished(run, Path("network"))
    remove_noted(tmp_path)
    assert run.exists()
    written = lock.stat().st_mtime_ns + 1  # DVC writes it, whatever it has to say
    os.utime(lock, ns=(written, written))
    remove_noted(tmp_path)
    assert not run.exists()


def test_a_removal_that_was_cut_off_is_done_the_next_time(run, tmp_path, monkeypatch):
    Path("dvc.lock").write_text(LOCK)
    removed = []
    original = Path.unlink

    def killed(path, **options):
        if path.suffix != ".lock":
            removed.append(path.name)
            if len(removed) == 2:
                raise KilledError
        original(path, **options)

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(KilledError):
        remove_noted(tmp_path)
    assert [path.name for path in run.iterdir()] == [MARK]
    monkeypatch.setattr(Path, "unlink", original)
    remove_noted(tmp_path)
    assert not run.exists()


class KilledError(BaseException):
    """Stands for a kill at this moment."""


def test_what_cannot_be_removed_keeps_no_stage_from_running(
    run, tmp_path, monkeypatch, caplog
):
    Path("dvc.lock").write_text(LOCK)
    (run / "folder").mkdir()  # which cannot be unlinked
    remove_noted(tmp_path)
    (message,) = caplog.messages
    assert message.startswith(f"{run}: is of no use any more, and stays: [Errno ")


def gone(run, repository):
    """Let the run be of a temporary workspace that is gone; return its result's md5."""
    mark = json.loads((run / MARK).read_text())
    lock = repository / ".dvc/tmp/exps/gone/dvc.lock"
    (run / MARK).write_text(json.dumps(mark | {"lock": str(lock)}))
    return mark["md5"]


def test_of_a_workspace_that_is_gone_the_cache_has_the_result(run, tmp_path):
    md5 = gone(run, tmp_path)
    Path("dvc.lock").write_text(LOCK)
    remove_noted(tmp_path)
    assert run.exists()
    cached = tmp_path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(NETWORK)
    remove_noted(tmp_path)
    assert not run.exists()


@pytest.mark.parametrize("name", ["config", "config.local"])
def test_the_cache_may_be_elsewhere(run, tmp_path, name):
    """As `dvc cache dir --local` says: `dir` is relative to the file, or absolute."""
    md5 = gone(run, tmp_path)
    place = {"config": "../shared", "config.local": str(tmp_path / "shared")}[name]
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    remote = a%b\n")
    with (tmp_path / ".dvc" / name).open("a") as file:
        file.write(f"[cache]\n    dir = {place}\n    type = copy\n")
    remove_noted(tmp_path)
    assert run.exists()
    cached = tmp_path / "shared/files/md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(NETWORK)
    remove_noted(tmp_path)
    assert not run.exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"md5": 5, "lock": "dvc.lock"}', "\0"]
)
def test_a_mark_that_is_none_notes_nothing(run, tmp_path, text):
    (run / MARK).write_text(text)
    Path("dvc.lock").write_text(LOCK)
    remove_noted(tmp_path)
    assert run.exists()


def test_a_run_that_is_held_is_left_alone(run, tmp_path):
    Path("dvc.lock").write_text(LOCK)
    with locked(tmp_path / ".runs/intra-0.lock"):
        remove_noted(tmp_path)
        assert run.exists()
    remove_noted(tmp_path)
    assert not run.exists()


def test_where_nothing_was_kept_there_is_nothing_to_do(tmp_path):
    remove_noted(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_unfinished_runs_of_experiments_are_kept_at_the_root(tmp_path, monkeypatch):
    monkeypatch.delenv("CROSSCAM_RUNS", raising=False)
    assert runs_folder(tmp_path) == tmp_path.resolve() / ".runs"
    temporary = tmp_path / ".dvc/tmp/exps/standalone/tmpabc"
    assert runs_folder(temporary) == tmp_path.resolve() / ".runs"
    monkeypatch.setenv("CROSSCAM_RUNS", str(tmp_path / "elsewhere"))
    assert runs_folder(temporary) == tmp_path / "elsewhere"
    assert workspace_runs(temporary) == tmp_path.resolve() / ".runs"
