from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import socket
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crosscam.model.heads import HeadParams
from crosscam.room import RoomError
from crosscam.runs import remove_noted
from crosscam.train import resume as module
from crosscam.train.alternate import alternate
from crosscam.train.intra import intra_round
from crosscam.train.progress import Progress
from crosscam.train.resume import KeptRun, ResumeError, checksum, kept_run, read_state
from crosscam.train.state import StateError
from tests.tiny import (
    ARCHITECTURE,
    DISTILLED,
    FIRST_INTRA,
    INTER,
    INTRA,
    SETTING,
    WHOLE,
    kept_state,
    state_bytes,
    tiny_images,
    tiny_network,
)

INTER_WHOLE = replace(INTER, rounds=2, epochs=1, intra_epochs=1)
SGD = replace(
    SETTING,
    optim=replace(SETTING.optim, name="sgd"),
    head=HeadParams("linear", 1.0),
)


class KilledError(BaseException):
    """Stands for a kill at this moment."""


def train(run, architecture, setting):
    """Run an intra round and two inter rounds; return the bytes that came out."""
    network = tiny_network(architecture)
    images = tiny_images()
    progress = run.progress(network, setting.head)
    given = images, INTRA, setting, FIRST_INTRA, 2, 0.002
    heads = intra_round(network, *given, progress).heads
    inter = INTER_WHOLE, setting
    rounds = alternate(network, heads, images, INTRA, *inter, progress)
    labels = b"".join(done.pseudo_labels.tobytes() for _, done in rounds)
    told = [(name, done.number, done.num_clusters) for name, done in rounds]
    losses = [epoch.loss for _, done in rounds for epoch in done.epochs]
    return state_bytes(network, *rounds[-1][1].heads.values()), labels, told, losses


class KilledRun(KeptRun):
    """A run that is killed right after its state was kept so many times."""

    def __init__(self, folder, times):
        super().__init__(folder)
        self.times = times

    def keep(self, progress):
        super().keep(progress)
        self.times -= 1
        if self.times == 0:
            raise KilledError


@pytest.mark.parametrize(
    ("architecture", "setting"),
    [
        (ARCHITECTURE, SETTING),
        (WHOLE, DISTILLED),
        (replace(ARCHITECTURE, neck="head"), SGD),
    ],
    ids=["plain", "whole", "published"],
)
def test_a_run_killed_after_every_epoch_gives_the_same_bytes(
    architecture, setting, tmp_path, caplog
):
    whole = train(KeptRun(tmp_path / "whole"), architecture, setting)
    kills, folder = 0, tmp_path / "killed"
    with caplog.at_level(logging.INFO):
        while True:
            try:
                # Each life sees one state kept, and dies.
                again = train(KilledRun(folder, 1), architecture, setting)
                break
            except KilledError:
                kills += 1
    # intra round: at its start and after 2 epochs; inter, intra, inter: 2 each.
    assert kills == 3 + 2 + 2 + 2
    assert again == whole
    assert "going on after intra round 1/1 epoch 1" in caplog.messages


def test_a_run_killed_between_two_states_gives_the_same_bytes(tmp_path, monkeypatch):
    whole = train(KeptRun(tmp_path / "whole"), ARCHITECTURE, SETTING)
    monkeypatch.setattr(module, "write_safetensors", killed_while_writing(3))
    with pytest.raises(KilledError):
        train(KeptRun(tmp_path / "run"), ARCHITECTURE, SETTING)
    monkeypatch.undo()
    assert train(KeptRun(tmp_path / "run"), ARCHITECTURE, SETTING) == whole


def killed_while_writing(number):
    calls = iter(range(1, 99))

    def write(path, tensors, metadata, **options):
        if next(calls) == number:
            (path.parent / ".state.safetensors.half.tmp").write_bytes(b"half")
            raise KilledError
        original(path, tensors, metadata, **options)

    original = module.write_safetensors
    return write


@pytest.fixture
def state(tmp_path):
    """Return the state of a run of one round, in its folder."""
    return kept_state(tmp_path / "intra-0123456789abcdef")


def flipped(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(data)


def test_what_was_kept_can_be_read(state):
    tensors, about = read_state(state, state.parent.name)
    assert about["cameras"] == [0, 1, 2]
    assert tensors["labels.0"].shape == (45,)


@pytest.mark.parametrize("place", [-1, -5000])
def test_a_flipped_bit_is_found(state, place):
    flipped(state, place)
    with pytest.raises(StateError, match="it is damaged, its sum is not the one"):
        read_state(state, state.parent.name)


def test_an_unusable_state_is_put_aside_and_the_run_starts_anew(state, caplog):
    flipped(state, -1)
    damaged = state.read_bytes()
    (state.parent / "safe.safetensors").unlink()
    progress = KeptRun(state.parent).progress(tiny_network(), SETTING.head)
    assert progress.rounds == []
    assert not state.exists()
    aside = state.parent.with_suffix(".state.unusable")
    assert aside.read_bytes() == damaged
    (message,) = caplog.messages
    assert message == (
        f"{state}: not used, it is damaged, its sum is not the one it was written "
        f"with: is now {aside}"
    )


def test_a_state_that_the_disk_never_got_leaves_the_one_it_has(state, caplog):
    """As on a file system that renames before it writes, once the power is gone."""
    state.write_bytes(b"")
    with caplog.at_level(logging.INFO):
        progress = KeptRun(state.parent).progress(tiny_network(), SETTING.head)
    ((_, taken_up),) = progress.rounds
    assert taken_up.epochs == []  # the one before the first epoch
    aside, going_on = caplog.messages
    assert aside.startswith(f"{state}: not used, it is no state of a run, ")
    assert going_on == "going on after intra round 1/1 epoch 0"


def test_the_sum_is_of_names_and_bytes_and_of_what_is_about_them():
    one = {"a": np.zeros(3), "b": np.ones((2, 2))}
    whole = checksum(one, {"c": 1, "d": [0.5]})
    assert whole == checksum(dict(reversed(one.items())), {"d": [0.5], "c": 1})
    assert whole != checksum({"a": one["b"], "b": one["a"]}, {"c": 1, "d": [0.5]})
    in_columns = {"a": one["a"], "b": np.asfortranarray(one["b"])}
    assert whole == checksum(in_columns, {"c": 1, "d": [0.5], "sum": 7})
    assert whole != checksum(one, {"c": 1, "d": [0.25]})


def test_a_state_that_cannot_be_read_now_stays(state, monkeypatch):
    """The disk may answer tomorrow: a day of training is not put aside for that."""
    before, opened = state.read_bytes(), type(state).open

    def stale(path, *given, **named):
        if path == state:
            raise OSError(116, "Stale file handle")
        return opened(path, *given, **named)

    monkeypatch.setattr(type(state), "open", stale)
    with pytest.raises(OSError, match="Stale file handle"):
        KeptRun(state.parent).progress(tiny_network(), SETTING.head)
    monkeypatch.undo()
    assert state.read_bytes() == before
    assert [*state.parent.parent.glob("*.unusable")] == []


def test_a_full_disk_leaves_the_state_before(state, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    run, before = KeptRun(state.parent), state.read_bytes()
    progress = run.progress(tiny_network(), SETTING.head)
    monkeypatch.setattr(module, "write_safetensors", full)
    with pytest.raises(ResumeError, match="cannot be written, No space left"):
        run.keep(progress)
    assert state.read_bytes() == before


def test_not_every_state_waits_for_the_disk(state, monkeypatch):
    clock, synced = iter([100.0, 101.0, 129.0, 131.0, 140.0]), []
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(os, "fsync", synced.append)
    run = KeptRun(state.parent)
    progress, counts = run.progress(tiny_network(), SETTING.head), []
    for _ in range(5):
        run.keep(progress)
        counts.append(len(synced))
    assert counts == [1, 1, 1, 2, 2]


def test_room_for_states_is_looked_at_first(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STATES", 10**15)
    with pytest.raises(RoomError, match="the state of an unfinished run needs"):
        KeptRun(tmp_path / "run").progress(tiny_network(), SETTING.head)


RESULT = Path("result")


@pytest.fixture
def held(tmp_path, monkeypatch):
    """Return what holds a run in this folder, with keys that are given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CROSSCAM_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setattr(module, "run_key", lambda stage, *_: f"{stage}-0")
    return lambda stage="intra": kept_run(stage, None, [], None, RESULT)


def test_a_run_that_ends_well_leaves_nothing(held, tmp_path):
    with held() as run:
        run.file.write_bytes(b"state")
        assert len(list((tmp_path / "runs").iterdir())) == 2  # its folder and a lock
        assert len(list((tmp_path / ".runs").iterdir())) == 1  # the lock of the place
    assert list((tmp_path / "runs").iterdir()) == []
    assert list((tmp_path / ".runs").iterdir()) == []


def test_a_run_that_fails_leaves_its_state_alone(held, tmp_path):
    with pytest.raises(KilledError), held() as run:  # noqa: PT012
        run.file.write_bytes(b"state")
        raise KilledError
    assert list((tmp_path / "runs").rglob("*")) == [run.file.parent, run.file]


def test_a_run_that_fails_before_its_first_state_leaves_nothing(held, tmp_path):
    with pytest.raises(KilledError), held():
        raise KilledError
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_that_dvc_has_started_stays_until_its_result_is_noted(
    held, tmp_path, monkeypatch
):
    """Nobody knows if DVC is still there to note it, or will have the room to."""
    monkeypatch.setenv("DVC_STAGE", "intra")
    with held() as run:
        run.file.write_bytes(b"state")
        RESULT.write_bytes(b"network")
    assert run.file.read_bytes() == b"state"
    with held() as again:  # DVC was killed, say: the state is there
        assert again.file.read_bytes() == b"state"
    md5 = hashlib.md5(b"network", usedforsecurity=False).hexdigest()
    Path("dvc.lock").write_text(f"    - path: result\n      md5: {md5}\n")
    remove_noted(Path.cwd())  # as every stage does at its start
    with held() as forced:  # DVC has it, and wants the run anew
        assert not forced.file.exists()


@pytest.mark.parametrize("runs", ["runs", ".runs"])
def test_locks_of_killed_processes_go(held, tmp_path, runs):
    (tmp_path / runs).mkdir()
    (tmp_path / f"{runs}/inter-12345678.lock").write_text("1\n")
    with held("intra"):
        (name,) = (path.name for path in (tmp_path / runs).glob("*.lock"))
        assert name != "inter-12345678.lock"
        with held("inter"):  # leaves the locks of those that live alone
            held_now = {path.name for path in (tmp_path / runs).glob("*.lock")}
            assert name in held_now
            assert len(held_now) == 2


def test_halves_of_states_are_removed(held):
    with pytest.raises(KilledError), held() as run:  # noqa: PT012
        (run.file.parent / ".state.safetensors.123.tmp").write_bytes(b"half")
        raise KilledError
    with held() as run:
        assert list(run.file.parent.iterdir()) == []


def hold(folder, stage, seconds, began):
    os.chdir(folder)
    os.environ["CROSSCAM_RUNS"] = str(Path(folder).parent / "runs")
    module.run_key = lambda stage, *_: f"{stage}-0"
    with kept_run(stage, None, [], None, RESULT):
        began.set()
        time.sleep(seconds)


@pytest.mark.parametrize("places", [("one", "one"), ("one", "two")])
def test_a_second_process_waits_and_says_so(places, tmp_path, monkeypatch, caplog):
    for place in set(places):
        (tmp_path / place).mkdir()
    context = multiprocessing.get_context("fork")
    began = context.Event()
    other = context.Process(target=hold, args=(tmp_path / places[0], "intra", 1, began))
    other.start()
    began.wait()
    monkeypatch.chdir(tmp_path / places[1])
    monkeypatch.setenv("CROSSCAM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(module, "run_key", lambda stage, *_: f"{stage}-0")
    with kept_run("intra", None, [], None, RESULT):
        assert not list((tmp_path / "runs/intra-0").iterdir())
        other.join(0.5)
        assert other.exitcode == 0
    (message,) = caplog.messages
    assert f"held by process {other.pid} on {socket.gethostname()}: wait" in message


def test_other_stages_do_not_wait(held):
    with held("intra"), held("inter"):
        pass


def test_progress_keeps_nothing_by_itself(tmp_path):
    progress = Progress(tiny_network())
    given = tiny_images(), INTRA, SETTING, FIRST_INTRA, 1, 0.002
    intra_round(progress.network, *given, progress)
    assert not list(tmp_path.iterdir())
