"""Queueing and reading back; DVC's answers are made by hand (journey.sh: real ones)."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from experiments import runs
from experiments.runs import Done, RunError, Wanted

HEADER = "Task     Name      Created    Status"


class FakeDvc:
    """A queue that runs everything when it is started, but for what shall fail."""

    def __init__(self, failing: tuple[str, ...] = ()) -> None:
        self.failing = failing
        self.calls: list[tuple[str, ...]] = []
        self.queued: dict[str, dict[str, Any]] = {}
        self.done: dict[str, dict[str, Any]] = {}
        self.over: dict[str, dict[str, Any]] = {}
        self.status: list[str] = []

    def __call__(self, *arguments: str) -> str:
        self.calls.append(arguments)
        if arguments[:3] == ("exp", "run", "--queue"):
            name = arguments[arguments.index("--name") + 1]
            sets = [b for a, b in pairwise(arguments) if a == "--set-param"]
            self.queued[name] = dict(item.split("=") for item in sets)
            self.status.insert(0, f"abc1234  {name}  11:00 PM  Queued")
        if arguments[:2] == ("queue", "start"):
            ended = {n: p for n, p in self.queued.items() if n not in self.failing}
            self.done |= ended
            self.over |= self.queued
            self.status = [
                f"abc1234  {n}  11:00 PM  {'Success' if n in ended else 'Failed'}"
                for n in self.queued
            ]
            self.queued = {}
        if arguments[:2] == ("queue", "status"):
            return "\n".join([HEADER, *self.status, "", "Worker status: 0 active"])
        if arguments[:2] == ("exp", "show"):
            told = [shown(item) for item in self.done.items()]
            told += [shown(item, "queued") for item in self.queued.items()]
            failed = self.over.keys() - self.done
            told += [shown((name, {}), "failed") for name in failed]
            return json.dumps([{"experiments": told}])
        return ""


def shown(item: tuple[str, dict[str, Any]], state: str = "success") -> dict[str, Any]:
    name, params = item
    data = {
        "params": {"params.yaml": {"data": params}},
        "metrics": {"metrics/evaluate.json": {"data": {"mAP": 0.5}}},
    }
    return {"name": name, "executor": {"state": state}, "revs": [{"data": data}]}


@pytest.fixture
def dvc(monkeypatch: pytest.MonkeyPatch) -> FakeDvc:
    fake = FakeDvc()
    monkeypatch.setattr(runs, "dvc", fake)
    monkeypatch.setattr(runs, "git", lambda *_: "")
    monkeypatch.setattr(runs.time, "sleep", lambda _: None)
    return fake


def wanted(name: str, seed: str = "1") -> Wanted:
    return Wanted(name, {"seed": seed}, [f"seed={seed}"])


def test_all_are_queued_run_and_returned_in_order(dvc: FakeDvc) -> None:
    found = runs.run_all([wanted("b", "2"), wanted("a", "1")], 3, ["mine.zip"])
    assert found == [
        Done({"seed": "2"}, {"mAP": 0.5}),
        Done({"seed": "1"}, {"mAP": 0.5}),
    ]
    assert ("queue", "start", "--jobs", "3") in dvc.calls
    first = next(call for call in dvc.calls if call[:2] == ("exp", "run"))
    assert first == (
        *("exp", "run", "--queue", "--name", "b"),
        *("--set-param", "seed=2", "--copy-paths", "mine.zip", "evaluate"),
    )


def test_what_has_run_is_not_run_again(dvc: FakeDvc) -> None:
    dvc.done["a"] = {"seed": "1"}
    runs.run_all([wanted("a")], 1, [])
    assert not any(call[:1] == ("queue",) and "start" in call for call in dvc.calls)
    runs.run_all([wanted("a"), wanted("b")], 1, [])
    queued = [call[4] for call in dvc.calls if call[:2] == ("exp", "run")]
    assert queued == ["b"]


def test_what_waits_in_the_queue_is_not_queued_twice(dvc: FakeDvc) -> None:
    dvc("exp", "run", "--queue", "--name", "a", "--set-param", "seed=1")
    dvc.calls.clear()
    assert len(runs.run_all([wanted("a")], 1, [])) == 1
    assert not [call for call in dvc.calls if call[:2] == ("exp", "run")]


def test_a_name_that_is_taken_by_other_parameters(dvc: FakeDvc) -> None:
    dvc.done["a"] = {"seed": "9"}
    with pytest.raises(RunError, match="experiment a: exists with other parameters"):
        runs.run_all([wanted("a")], 1, [])
    assert dvc.queued == {}


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_name_that_waits_in_the_queue_with_other_parameters(
    dvc: FakeDvc, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(runs, "listed", lambda: [shown(("a", {"seed": "9"}), state)])
    with pytest.raises(RunError, match=r"experiment a: exists .*dvc queue remove"):
        runs.run_all([wanted("a")], 1, [])
    assert dvc.calls == [("queue", "status")]


def test_results_of_other_parameters_are_not_returned(
    dvc: FakeDvc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where DVC shows the parameters only when it has run."""
    hidden = shown(("a", {}), "running") | {"revs": [{"data": None}]}
    answers = iter([[hidden], [shown(("a", {"seed": "9"}))]])
    monkeypatch.setattr(runs, "listed", lambda: next(answers))
    monkeypatch.setattr(runs, "wait_for", lambda *_: None)
    with pytest.raises(RunError, match="experiment a: exists with other parameters"):
        runs.run_all([wanted("a")], 1, [])
    assert ("queue", "start", "--jobs", "1") in dvc.calls


def test_one_of_the_same_name_on_another_commit_is_not_ours(dvc: FakeDvc) -> None:
    """The queue has it; `dvc exp show` tells those of this commit alone."""
    dvc.status = ["abc1234  a  10:00 PM  Queued"]
    (done,) = runs.run_all([wanted("a", "3")], 1, [])
    assert done.params == {"seed": "3"}
    assert [call[4] for call in dvc.calls if call[:2] == ("exp", "run")] == ["a"]


def test_one_that_is_gone_after_the_wait(
    dvc: FakeDvc, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait_for(*_: Any) -> None:
        dvc.done.clear()
        dvc.over.clear()

    monkeypatch.setattr(runs, "wait_for", wait_for)
    told = "experiments are not on this commit: a: .*dvc queue remove a "
    with pytest.raises(RunError, match=told):
        runs.run_all([wanted("a")], 1, [])


def test_failed_ones_are_named_with_the_way_to_their_log(dvc: FakeDvc) -> None:
    dvc.failing = ("b", "c")
    told = "experiments failed: b, c: see dvc queue logs b"
    with pytest.raises(RunError, match=told):
        runs.run_all([wanted("a"), wanted("b"), wanted("c")], 1, [])


def test_code_that_is_not_committed(
    dvc: FakeDvc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        runs, "git", lambda *_: " M crosscam/files.py\n?? stages/x.py\n"
    )
    told = "not committed: crosscam/files.py, stages/x.py: git commit"
    with pytest.raises(RunError, match=told):
        runs.run_all([wanted("a")], 1, [])
    assert dvc.calls == []


def test_one_that_runs_still_shows_the_metrics_it_started_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = [shown(("a", {}), "running"), shown(("b", {}))]
    monkeypatch.setattr(runs, "listed", lambda: both)
    assert list(runs.found()) == ["b"]


def test_states_of_equal_names_are_those_of_the_first(dvc: FakeDvc) -> None:
    rows = [
        "1  a  11:00 PM  Running",
        "2  b  11:00 PM  Queued",
        "3  a  9:00 PM  Failed",
    ]
    dvc.status = rows
    assert runs.states() == {"a": "running", "b": "queued"}


def test_waiting_tells_each_change_and_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For a moment between queued and running, an experiment is in no list."""
    looks = iter([
        {"a": "queued"},
        {},
        {"a": "running"},
        {"a": "running"},
        {"a": "success"},
    ])
    monkeypatch.setattr(runs, "states", lambda: next(looks))
    monkeypatch.setattr(runs.time, "sleep", lambda _: None)
    runs.wait_for(["a"], 1)
    assert capsys.readouterr().err.splitlines() == [
        "1 experiments: 1 queued",
        "1 experiments: 1 starting",
        "1 experiments: 1 running",
        "1 experiments: 1 success",
    ]


def test_workers_that_ended_too_early_are_started_again(dvc: FakeDvc) -> None:
    dvc("exp", "run", "--queue", "--name", "a", "--set-param", "seed=1")
    runs.wait_for(["a"], 2)
    assert dvc.calls.count(("queue", "status")) == runs.PATIENCE + 1
    assert ("queue", "start", "--jobs", "2") in dvc.calls
    assert runs.states() == {"a": "success"}


def test_one_that_is_removed_from_the_queue_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    naps: list[float] = []
    monkeypatch.setattr(runs, "states", dict)
    monkeypatch.setattr(runs.time, "sleep", naps.append)
    runs.wait_for(["a"], 1)
    assert len(naps) == runs.PATIENCE - 1


@pytest.mark.parametrize(
    ("shown", "ended"),
    [
        ("abc  a  03:26 PM  Running\n\nWorker status: 0 active, 0 idle", True),
        ("abc  a  03:26 PM  Running\n\nWorker status: 1 active, 0 idle", False),
        ("abc  a  03:26 PM  Success\n\nWorker status: 0 active, 0 idle", False),
        ("No experiment tasks in the queue.", False),
    ],
)
def test_tasks_of_killed_workers_end(
    monkeypatch: pytest.MonkeyPatch, shown: str, ended: bool
) -> None:
    asked: list[tuple[str, ...]] = []

    def dvc(*arguments: str) -> str:
        asked.append(arguments)
        return shown

    monkeypatch.setattr(runs, "dvc", dvc)
    runs.end_dead()
    assert (("queue", "stop", "--kill") in asked) == ended


def test_a_look_that_fails_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [RunError("gone"), json.dumps([{"experiments": None}])]

    def dvc(*_: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, RunError):
            raise answer
        return str(answer)

    monkeypatch.setattr(runs, "dvc", dvc)
    monkeypatch.setattr(runs.time, "sleep", lambda _: None)
    assert runs.listed() == []
    answers[:] = [RunError("gone")] * 3
    with pytest.raises(RunError, match="gone"):
        runs.listed()


def test_commands_run_for_real_and_tell_their_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert runs.git("init", "--quiet") == ""
    assert runs.dvc("--version").count(".") >= 2
    with pytest.raises(RunError, match=r"exp list: failed: ERROR: .*not.*DVC repo"):
        runs.dvc("exp", "list")
