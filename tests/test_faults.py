"""The fault campaign in short: a training stage, killed and out of room, comes through.

`make faults` does the same to all stages, under all commands, hundreds of times.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.faults.checks import Outcome, last_lines
from tests.faults.clone import Clone, outputs, prepared
from tests.faults.commands import Repro
from tests.faults.kills import Case, Kill, plan, run_chain
from tests.faults.limits import KIB, run_limited, small_files
from tests.faults.moments import Moment, drawn, furthest
from tests.faults.processes import STAGES, Process, at_work, clear
from tests.faults.report import failed, merged, messages, table

INTRA = STAGES.index("intra")
# Its state takes 4,088 KiB and more, the log of DVC's database up to 4,024.
LARGER = {"model.backbone": "test_convnext2"}
SHORTER = {"intra.rounds": 1, "intra.epochs": 2, **LARGER}
KILLS = [
    Kill("both", Moment(INTRA, 3.0), repaired=False),
    Kill("dvc", Moment(INTRA, 2.0), repaired=False),  # then beside an orphan
]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """Return a committed run up to the training table."""
    top = tmp_path_factory.mktemp("faults") / "pristine"
    return prepared(Clone(top, goal=("intra",), changes=SHORTER), "split")


@pytest.mark.pipeline
def test_nothing_is_lost_and_nothing_differs(pristine: Clone) -> None:
    reference = Repro(pristine.copy(pristine.top.with_name("whole")))
    reference.prepare()
    reference.start()
    case = Case(pristine, lambda: done(reference), (), 0)
    places = [pristine.top.with_name(name) for name in ("killed", "full")]
    fault = small_files(4060 * KIB)  # the state after the first epoch is larger
    with ThreadPoolExecutor() as pool:
        chain = pool.submit(run_chain, case, "dvc repro", KILLS, places[0])
        full = pool.submit(run_limited, case, "dvc repro", [fault], places[1])
        outcomes = [*chain.result(), *full.result()]
    assert failed(outcomes) == []
    assert sum(outcome.injected for outcome in outcomes) == 3
    (message,) = outcomes[-1].messages
    assert "state.safetensors: cannot be written, File too large: see to" in message
    assert "traceback" not in message
    assert not any([*place.iterdir()] for place in places), "what went well is removed"


def done(command: Repro) -> str:
    assert command.wait() == 0
    assert "models/intra.safetensors" in outputs(command.lock())
    return command.lock()


def test_moments_are_drawn_over_the_whole_command() -> None:
    times = (1.0, 2.0, 3.0, 4.0, 14.0, 24.0, 26.0, 30.0)
    moments = drawn(np.random.default_rng(0), times, 3000)
    shares = [np.mean([m.stage == s for m in moments]) for s in range(-1, 7)]
    expected = np.diff([0.0, *times]) / 30
    np.testing.assert_allclose(shares, expected, atol=0.03)
    lengths = np.diff([0.0, *times])
    assert all(0 <= m.seconds <= lengths[m.stage + 1] for m in moments)
    assert [m.stage for m in moments] == sorted(m.stage for m in moments)


def test_a_seed_gives_the_same_kills() -> None:
    times = (1.0, 2.0, 3.0, 4.0, 14.0, 24.0, 26.0, 30.0)
    first, again = (plan(np.random.default_rng(1), times, 5) for _ in range(2))
    assert first == again
    assert str(Moment(-1, 0.25)) == "0.2 s after the start"


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
    two = Outcome("kill", "dvc repro", injected=1, lost=["a"], messages=["full"])
    (both,) = merged([one, two])
    assert (both.injected, both.resumed, both.lost) == (3, 1, ["a"])
    assert "| kill | `dvc repro` | 3 | 1 | 0 | 0 | 1 | 0 | 0 | 0 | 0 |\n" in table([
        one,
        two,
    ])
    assert "| **all** |  | 3 | 1 | 0 | 0 | 1 | 0 | 0 | 0 | 0 |\n" in table([one, two])
    assert messages([one, two]).count("full") == 2
    assert failed([one, two]) == ["kill, dvc repro: lost: a"]


def test_what_a_command_said_at_last() -> None:
    said = "Running stage 'x':\nMemoryError: no\n\nERROR: failed\nmore\n"
    assert last_lines(said) == "ERROR: failed / more / MemoryError: no"
