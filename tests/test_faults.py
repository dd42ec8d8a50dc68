"""The fault campaign in short: a training stage, killed and out of room, comes through.

`make faults` does the same to all stages, under all commands, hundreds of times.
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crosscam.files import write_safetensors
from tests.faults import __main__ as campaign
from tests.faults import clone as clones
from tests.faults.checks import (
    Outcome,
    last_lines,
    left_behind,
    mended_lock,
    plain,
)
from tests.faults.clone import EDIT, EDITED, NOTES, Clone, outputs, prepared
from tests.faults.commands import COMMANDS, Repro
from tests.faults.going_on import Watch, epochs_until
from tests.faults.kills import Case, Kill, plan, run_chain
from tests.faults.kinds import Chain, Job, until
from tests.faults.limits import KIB, run_limited, small_files
from tests.faults.moments import (
    Moment,
    Span,
    Timeline,
    at_ends,
    beginning,
    furthest,
    over_all,
    while_training,
)
from tests.faults.processes import STAGES, Process, at_work, clear
from tests.faults.report import failed, merged, messages, table
from tests.faults.states import State, states

INTRA, INTER = STAGES.index("intra"), STAGES.index("inter")
# Its state takes 4,088 KiB and more, the log of DVC's database up to 4,024.
LARGER = {"model.backbone": "test_convnext2"}
SHORTER = {"intra.rounds": 1, "intra.epochs": 3, **LARGER}
KILLS = [
    Kill("both", Moment(INTRA, 0.0, epochs=1), repaired=False),
    Kill("dvc", Moment(INTRA, 2.0), repaired=False),  # then beside an orphan
    Kill("dvc", Moment(INTRA, 0.0, end=True), repaired=False),
]
TIMES = Timeline(
    (1.0, 2.0, 3.0, 4.0, 14.0, 24.0, 26.0),
    30.0,
    (
        Span(INTRA, 1, 8.0, 10.0),
        Span(INTRA, 2, 10.0, 13.0),
        Span(INTER, 1, 18.0, 23.0),
    ),
)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return a committed run up to the training table."""
    top = tmp_path_factory.mktemp("faults") / "pristine"
    return prepared(Clone(top, goal=("intra",), changes=SHORTER), "split")


@pytest.fixture
def copy(tmp_path: Path) -> Clone:
    """Return a copy of nothing but parameters."""
    clone = Clone(tmp_path / "copy")
    clone.folder.mkdir(parents=True)
    clone.log.touch()
    (clone.folder / "params.yaml").write_text(
        "intra: {rounds: 2, epochs: 3}\n"
        "inter: {rounds: 2, epochs: 3, intra_epochs: 1}\n"
    )
    return clone


def keep(clone: Clone, stage: str, *epochs: int, finished: bool = False) -> None:
    """Write a state with so many epochs in each round."""
    rounds = [[[stage, n, 2, 1], 8, [[0.5]] * num] for n, num in enumerate(epochs)]
    folder = clone.folder / ".runs" / f"{stage}-0123"
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {"network.weight": np.zeros(3, np.float32)}
    about = {"crosscam": json.dumps({"rounds": rounds})}
    write_safetensors(folder / "state.safetensors", arrays, about)
    if finished:
        (folder / "finished.json").write_text("{}")


def say(clone: Clone, *lines: str) -> None:
    with clone.log.open("a") as log:
        log.writelines(f"{line}\n" for line in lines)


@pytest.mark.long
@pytest.mark.pipeline
def test_nothing_is_lost_and_nothing_differs(pristine: Clone) -> None:
    reference = Repro(pristine.copy(pristine.top.with_name("whole")))
    reference.prepare()
    reference.start()
    case = Case(pristine, lambda: done(reference), TIMES, 0)
    places = [pristine.top.with_name(name) for name in ("killed", "full")]
    fault = small_files(4060 * KIB)  # the state after the first epoch is larger
    with ThreadPoolExecutor() as pool:
        chain = pool.submit(run_chain, case, "dvc repro", KILLS, places[0])
        full = pool.submit(run_limited, case, "dvc repro", [fault], places[1])
        outcomes = [*chain.result(), *full.result()]
    assert failed(outcomes) == []
    # The last may come when DVC has noted the results and ended.
    assert sum(outcome.injected for outcome in outcomes) in {3, 4}
    assert sum(outcome.resumed for outcome in outcomes) >= 1
    (message,) = outcomes[-1].messages
    assert "state.safetensors: cannot be written, File too large: see to" in message
    assert "traceback" not in message
    assert not any([*place.iterdir()] for place in places), "what went well is removed"


def done(command: Repro) -> str:
    assert command.wait() == 0
    assert "models/intra.safetensors" in outputs(command.lock())
    return command.lock()


def test_moments_are_drawn_over_the_whole_command() -> None:
    timed = over_all(np.random.default_rng(0), TIMES, 3000)
    moments = [moment for _, moment in timed]
    shares = [np.mean([m.stage == s for m in moments]) for s in range(-1, 7)]
    lengths = np.diff([0.0, *TIMES.stages, TIMES.end])
    np.testing.assert_allclose(shares, lengths / 30, atol=0.03)
    assert all(0 <= m.seconds <= lengths[m.stage + 1] for m in moments)
    starts = [0.0, *TIMES.stages]
    assert all(np.isclose(s, starts[m.stage + 1] + m.seconds) for s, m in timed)


def test_moments_are_drawn_over_the_time_with_epochs_on_disk() -> None:
    timed = while_training(np.random.default_rng(0), TIMES, 3000)
    spans = {(span.stage, span.epochs): span for span in TIMES.spans}
    for seconds, moment in timed:
        span = spans[moment.stage, moment.epochs]
        assert span.start <= seconds <= span.end
        assert np.isclose(seconds, span.start + moment.seconds)
    drawn = [(moment.stage, moment.epochs) for _, moment in timed]
    shares = [drawn.count(span) / len(drawn) for span in spans]
    np.testing.assert_allclose(shares, [0.2, 0.3, 0.5], atol=0.03)
    ends = at_ends(np.random.default_rng(0), TIMES, 30)
    assert {(s, m.stage) for s, m in ends} == {(13.0, INTRA), (23.0, INTER)}


def test_half_of_the_kills_come_while_epochs_are_on_disk() -> None:
    kills = plan(np.random.default_rng(1), TIMES, 10)
    assert sum(kill.moment.epochs > 0 for kill in kills) == 5
    assert [kill.victim for kill in kills if kill.moment.end] == ["dvc"]
    stages = [kill.moment.stage for kill in kills]
    assert stages == sorted(stages)
    assert plan(np.random.default_rng(1), TIMES, 10) == kills, "a seed gives the same"
    assert str(Moment(-1, 0.25)) == "0.2 s after the start"
    assert str(Moment(INTRA, 1.0, epochs=2)) == "1.0 s after epoch 2 of intra"
    assert str(Moment(INTER, 0.0, end=True)) == "0.0 s after the end of inter"


def test_a_moment_begins_when_it_is_seen(copy: Clone) -> None:
    intra, inter = (Process(1, f"python -m stages.{s}") for s in ("intra", "inter"))
    started = beginning(Repro(copy), Moment(INTRA, 0.0))
    assert [started([]), started([intra]), started([inter])] == [False, True, True]
    ended = beginning(Repro(copy), Moment(INTRA, 0.0, end=True))
    assert [ended(seen) for seen in ([], [intra], [])] == [False, False, True]
    keep(copy, "intra", 2)
    kept = beginning(Repro(copy), Moment(INTRA, 0.0, epochs=2))
    assert not kept([intra]), "by an earlier life"
    keep(copy, "intra", 2)
    assert kept([intra])


@pytest.mark.parametrize(
    ("command", "stage", "is_dvc"),
    [
        ("python -m stages.intra", "intra", False),
        ("/a/bin/python /a/bin/dvc repro", "", True),
        ("/a/bin/python3.11 -m dvc exp run --name hit", "", True),
        ("python -m stages.intra.more", "", False),
        ("vim stages/intra.py", "", False),
    ],
)
def test_processes_are_known_by_their_command(
    command: str, stage: str, is_dvc: bool
) -> None:
    process = Process(1, command)
    assert (process.stage, process.is_dvc) == (stage, is_dvc)
    assert furthest([process]) == (INTRA if stage else -1)


def test_only_what_works_in_the_folder_is_killed(tmp_path: Path) -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "inside").mkdir()
    places = [tmp_path / name for name in ("in", "in/deep", "inside")]
    first, deep, beside = (subprocess.Popen(sleep, cwd=place) for place in places)
    assert {p.pid for p in at_work(tmp_path / "in")} == {first.pid, deep.pid}
    clear(tmp_path / "in")
    assert (first.wait(), deep.wait(), beside.poll()) == (-9, -9, None)
    beside.kill()
    beside.wait()


def test_the_report_counts() -> None:
    one = Outcome("kill", "dvc repro", injected=2, resumed=1, messages=["full"])
    one.kept = 2
    two = Outcome("kill", "dvc repro", injected=1, lost=["a"], messages=["full"])
    (both,) = merged([one, two])
    assert (both.injected, both.resumed, both.lost) == (3, 1, ["a"])
    row = "3 | 1 | 0 | 0 | 2 | 1 | 0 | 0 | 0 | 0 | 0 |\n"
    assert f"| kill | `dvc repro` | {row}" in table([one, two])
    assert f"| **all** |  | {row}" in table([one, two])
    late = Outcome("kill of dvc", "dvc repro", troubles=["by itself: 1: no"])
    assert "| kill of dvc | `dvc repro` | 0 | 0 | 0 | 1 |" in table([one, late])
    assert "kill of dvc" not in table([one, Outcome("kill of dvc", "dvc repro")])
    both.messages += ["7 KiB left: no", "9 KiB left: no", "data: no"]
    told = "\nkill:\n\n```text\ndata: no\nfull (2 times)\nno (2 times)\n```\n"
    assert messages([both]) == told
    assert failed([one, two]) == ["kill, dvc repro: lost: a"]


def test_a_campaign_that_takes_nothing_up_has_failed() -> None:
    one = Outcome("kill of dvc", "dvc repro", injected=3)
    assert failed([one]) == ["kills: 3, and nothing was taken up: nothing was tried"]
    assert failed([one, Outcome("kill of both", "dvc repro", resumed=1)]) == []
    assert failed([Outcome("kill in mid-push", "dvc push", injected=3)]) == []


def test_states_say_how_far_a_run_is(copy: Clone) -> None:
    assert states(copy.folder) == []
    keep(copy, "inter", 3, 0)
    keep(copy, "intra", 3, 2, finished=True)
    (copy.folder / ".runs/intra-0124").mkdir()
    found = [state._replace(file=(0, 0)) for state in states(copy.folder)]
    none = (0, 0)
    assert found == [State("inter", 3, False, none), State("intra", 5, True, none)]
    assert len(left_behind(copy)) == 3
    goal = Clone(copy.top, goal=("intra",))
    assert left_behind(goal) == [".runs/inter-0123/state.safetensors"]


def test_epochs_are_counted_over_the_phases_of_a_stage() -> None:
    params = {
        "intra": {"rounds": 2, "epochs": 3},
        "inter": {"rounds": 3, "epochs": 3, "intra_epochs": 1},
    }
    intra = [
        epochs_until("intra", "intra", r, e, params) for r in (1, 2) for e in (0, 3)
    ]
    assert intra == [0, 3, 3, 6]
    order = [("inter", 1, 0), ("inter", 1, 3), ("intra", 2, 0), ("intra", 2, 1)]
    order += [("inter", 2, 0), ("inter", 2, 3), ("intra", 3, 1), ("inter", 3, 1)]
    inter = [epochs_until("inter", *place, params) for place in order]
    assert inter == [0, 3, 3, 4, 4, 7, 8, 9]


LIFE = ("Running stage 'intra':", "> python -m stages.intra")


def epoch(number: int, epochs: int) -> str:
    return f"intra round {number}/2 epoch {epochs}/3 loss 1.0"


@pytest.mark.parametrize(
    ("said", "kept", "resumed", "trouble"),
    [
        ((*LIFE, "going on after intra round 2/2 epoch 1", epoch(2, 2)), 1, 1, ""),
        ((epoch(2, 2), epoch(2, 3)), 1, 0, "never taken up"),  # of an orphan
        ((*LIFE, epoch(1, 1)), 1, 0, "intra: trains epoch 1, had 4"),
        (
            (*LIFE, "going on after intra round 1/2 epoch 3"),
            1,
            0,
            "intra: goes on after epoch 3, had 4",
        ),
        (("Running stage 'inter':", "inter round 1/2 epoch 1/3"), 1, 0, "never"),
    ],
)
def test_what_is_on_disk_is_taken_up(
    copy: Clone, said: tuple[str, ...], kept: int, resumed: int, trouble: str
) -> None:
    watch, first, second = Watch(copy), *(Outcome(f, "") for f in ("a", "b"))
    say(copy, *LIFE, *(epoch(1, e) for e in (1, 2, 3)), epoch(2, 1), epoch(2, 2))
    keep(copy, "intra", 3, 1)
    watch.note(first, states(copy.folder))
    say(copy, *LIFE, "lock: held by process 7: waiting for it to end")
    watch.note(second, states(copy.folder))  # before the state was read
    say(copy, *said)
    watch.end()
    for outcome in (first, second):
        assert (outcome.kept, outcome.resumed) == (kept, resumed)
        assert trouble in "".join(outcome.troubles)
        assert bool(outcome.troubles) == bool(trouble)
    assert (first.waited, second.waited) == (1, 0)


@pytest.mark.parametrize("finished", [True, False])
def test_a_stage_that_has_ended_may_not_begin_anew(copy: Clone, finished: bool) -> None:
    watch, outcome, lines = Watch(copy), Outcome("a", ""), [epoch(1, 1), epoch(1, 2)]
    say(copy, *LIFE, *lines, epoch(1, 3))
    if finished:
        keep(copy, "intra", 3, finished=True)
    watch.note(outcome, states(copy.folder))
    say(copy, "Stage 'intra' didn't change, skipping", "Running stage 'inter':")
    say(copy, "going on after intra round 2/2 epoch 0")  # a phase of inter
    watch.end()
    assert (outcome.kept, outcome.troubles) == (0, []), "DVC has its results"
    say(copy, *LIFE, *lines)
    watch.note(outcome, states(copy.folder))
    say(copy, *LIFE, epoch(1, 1))
    watch.end()
    assert outcome.troubles == [f"intra: trains epoch 1, had {3 if finished else 2}"]


def test_what_an_orphan_tells_late_is_not_trained_again(copy: Clone) -> None:
    watch, outcome = Watch(copy), Outcome("a", "")
    say(copy, *LIFE, epoch(1, 1))
    keep(copy, "intra", 1)
    on_disk = states(copy.folder)
    keep(copy, "intra", 3)  # by the orphan, before anybody has looked
    watch.note(outcome, on_disk)
    say(copy, epoch(1, 2), epoch(1, 3))
    say(copy, *LIFE, "going on after intra round 1/2 epoch 3")
    watch.end()
    assert (outcome.kept, outcome.resumed, outcome.troubles) == (1, 1, [])


def test_a_command_may_go_on_while_its_orphan_alone_is_hit(copy: Clone) -> None:
    """It takes up what the orphan has left before anybody has looked."""
    watch, outcome = Watch(copy), Outcome("a", "")
    say(copy, *LIFE, epoch(1, 1))
    keep(copy, "intra", 1)
    on_disk, said = states(copy.folder), len(copy.told())
    say(copy, *LIFE, "going on after intra round 1/2 epoch 1", epoch(1, 2))
    keep(copy, "intra", 2)
    watch.note(outcome, on_disk, said)
    assert (outcome.kept, outcome.troubles) == (0, []), "its end is yet to be judged"
    watch.end()
    assert (outcome.kept, outcome.resumed, outcome.troubles) == (1, 1, [])


def test_what_a_command_has_done_since_was_not_there_at_the_fault(copy: Clone) -> None:
    """The orphan had kept nothing: the command trained it all, and DVC noted that."""
    watch, outcome = Watch(copy), Outcome("a", "")
    say(copy, *LIFE)
    said = len(copy.told())
    say(copy, *LIFE, *(epoch(1, e) for e in (1, 2, 3)), "Running stage 'inter':")
    watch.note(outcome, [], said)
    watch.end()
    assert (outcome.kept, outcome.resumed, outcome.troubles) == (0, 0, [])


def test_more_than_an_epoch_must_not_be_lost(copy: Clone) -> None:
    watch, outcome = Watch(copy), Outcome("a", "")
    say(copy, *LIFE, *(epoch(1, e) for e in (1, 2, 3)))
    keep(copy, "intra", 1)
    watch.note(outcome, states(copy.folder))
    assert outcome.troubles == ["intra: kept 1 epochs of 3"]


@pytest.mark.parametrize("left", ["", "schema: '2.0'\nstages:\n  a:\n    cm", "\t"])
def test_a_lock_that_is_cut_off_is_brought_back(copy: Clone, left: str) -> None:
    """DVC writes it in place: a kill can leave any part of it."""
    whole = "schema: '2.0'\nstages:\n  a:\n    cmd: b\n"
    path = copy.folder / "dvc.lock"
    path.write_text(whole)
    copy.done("git", "init", "--quiet", "--initial-branch=main")
    copy.done("git", "add", "dvc.lock")
    assert not mended_lock(copy)
    path.write_text(left)
    assert mended_lock(copy)
    assert path.read_text() == whole


def test_an_experiment_that_came_through_is_applied(
    copy: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill came when it was there: DVC refuses to run another of its name."""
    started: list[list[str]] = []
    monkeypatch.setattr(Clone, "start", lambda _, command: started.append(command))
    command = COMMANDS["dvc exp run"](copy)
    command.start()
    (copy.folder / ".git/refs/exps/0a/1b").mkdir(parents=True)
    (copy.folder / ".git/refs/exps/0a/1b/hit").touch()
    command.start()
    assert started[0][:5] == ["dvc", "exp", "run", "--name", "hit"]
    assert started[1] == ["dvc", "exp", "apply", "hit"]


class Slow(Repro):
    """A command that does not end."""

    def prepare(self) -> None:
        pass

    def start(self) -> None:
        sleep = "import time; time.sleep(600)"
        self.process = self.clone.start([sys.executable, "-c", sleep])


class Failing(Slow):
    """A command that fails before anybody kills it."""

    def start(self) -> None:
        self.process = self.clone.start([
            sys.executable,
            "-c",
            "raise SystemExit('MemoryError: no')",
        ])


def test_a_command_that_fails_by_itself_is_a_trouble(
    copy: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed_and_edited(copy)
    monkeypatch.setitem(COMMANDS, "dvc repro", Failing)
    case = Case(copy, lambda: "", TIMES, 0)
    kill = Kill("both", Moment(INTRA, 60.0), repaired=False)
    found = failed(run_chain(case, "dvc repro", [kill], copy.top.with_name("failing")))
    told = "kill of both, dvc repro: troubles: by itself: 1: MemoryError: no"
    assert found == [told, told], "before the kill, and again"


def committed_and_edited(copy: Clone) -> None:
    for path, text in ((EDITED, "read"), (NOTES, EDIT)):
        (copy.folder / path).write_text(text)
    copy.done("git", "init", "--quiet", "--initial-branch=main")
    copy.done("git", "add", EDITED)
    copy.done("git", "commit", "--quiet", "--message=all")
    (copy.folder / EDITED).write_text(f"read{EDIT}")


@pytest.mark.parametrize("kills", [[Kill("both", Moment(INTRA, 0.0), False)], KILLS])
def test_what_does_not_end_is_a_trouble(
    copy: Clone, kills: list[Kill], monkeypatch: pytest.MonkeyPatch
) -> None:
    committed_and_edited(copy)
    monkeypatch.setitem(COMMANDS, "dvc repro", Slow)
    case = Case(copy, lambda: "", TIMES, 0)
    monkeypatch.setattr(clones, "PATIENCE", 1)
    top = copy.top.with_name("slow")
    outcomes = run_chain(case, "dvc repro", kills, top)
    (trouble,) = failed(outcomes)
    assert f"troubles: {kills[0].moment} does not come: after 1 s" in trouble
    assert at_work(top) == []
    assert (top / "clone").exists(), "what went wrong is kept"


def test_a_campaign_goes_on_where_it_was(tmp_path: Path) -> None:
    drawn: list[float] = []

    def part(results: dict[str, Any], *, more: bool) -> None:
        arguments = Namespace(seed=3, kills=4, number=None, jobs=1, more=more)
        of_kind = results["kills"] = campaign.begun("kills", arguments, results)
        case = Case(Clone(tmp_path), lambda: "", TIMES, 0)
        job = campaign.job_of("kills", arguments, case, tmp_path)
        job.begun = of_kind["chains"]
        for outcome in until(job, lambda number: chain(job, number)):
            of_kind["outcomes"].append(outcome)
            of_kind["chains"] = job.begun

    def chain(job: Job, number: int) -> Chain:
        drawn.append(float(job.rng(number).random()))
        return lambda top: [Outcome("kill of dvc", "dvc repro", injected=2)]

    results: dict[str, Any] = {}
    part(results, more=False)
    part(results, more=True)
    assert (results["kills"]["chains"], len(results["kills"]["outcomes"])) == (4, 4)
    assert len({*drawn}) == 4, "no moment twice"
    part(results, more=False)
    assert len(results["kills"]["outcomes"]) == 2
    assert drawn[4:] == drawn[:2]


def test_chains_that_meet_no_fault_come_to_an_end(tmp_path: Path) -> None:
    late = Outcome("kill of dvc", "dvc repro", troubles=["no end after 1800 s"])
    job = Job(Case(Clone(tmp_path), lambda: "", TIMES, 0), 2, (0,), tmp_path, 1)
    assert len([*until(job, lambda _: lambda top: [late])]) == 2


def test_what_is_of_one_run_alone_is_left_out() -> None:
    md5 = "0123456789abcdef" * 2
    said = (
        f"ERROR: failed to transfer '{md5}' - 3/clone/.dvc/cache/files/md5/01/"
        f"{md5[2:]} -> 3.remote/files/md5/01/.abcdefghijklmnopqrst-_.tmp"
        " / Having any troubles? Hit us up at https://d, we are always happy to help!"
    )
    assert plain(said) == (
        "ERROR: failed to transfer '…' - clone/.dvc/cache/files/md5/… -> "
        "remote/files/md5/…/….tmp"
    )
    said = "/it/.venv/lib/python3.11/site-packages/a/b.so: no / x"
    assert plain(said) == "a/b.so: no / x"
    said = "clone/.runs/intra-0123456789abcdef: needs 9.3 MB of disk, got 0.2 MB free"
    assert plain(said) == "clone/.runs/intra-…: needs … MB of disk, got … MB free"


def test_what_a_command_said_at_last() -> None:
    said = "Running stage 'x':\nMemoryError: no\n\nERROR: failed\nmore\n"
    assert last_lines(said) == "ERROR: failed / more / MemoryError: no"
