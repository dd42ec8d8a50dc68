"""The same run on one, two and four processes; see tests/several.py for what runs."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from tests.repository import ROOT

FORKS = "ignore:This process:DeprecationWarning"  # of a fork beside a thread
CURVE = 1e-4  # of losses; 3e-6 was seen
WEIGHTS = 2e-4  # 2e-5 was seen
ADAMW = 2e-3  # 4e-4 was seen


pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what came of all cases."""
    file = tmp_path_factory.mktemp("several") / "made"
    flags = "-W", "error", "-W", FORKS
    done = subprocess.run(
        [sys.executable, *flags, "-m", "tests.several", str(file)],
        cwd=ROOT,
        env=os.environ | {"OMP_WAIT_POLICY": "passive"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return pickle.loads(file.read_bytes())  # noqa: S301 (written just now)


def agree(one: dict[str, Any], several: list[dict[str, Any]]) -> None:
    """Check that each of several processes came to what one alone comes to."""
    for other in several:
        assert np.array_equal(other["labels"], one["labels"])
        assert other["losses"] == pytest.approx(one["losses"], rel=0, abs=CURVE)
        assert other["weights"].keys() == one["weights"].keys()
        for name, weights in one["weights"].items():
            close = np.abs(other["weights"][name].astype(float) - weights)
            assert close.max() < WEIGHTS, name


@pytest.mark.parametrize(
    "case", ["feature 2", "feature 4", "head 2", "batch norms 2", "batch norms 4"]
)
def test_any_number_of_processes_trains_alike(made: dict[str, Any], case: str) -> None:
    """With AIBN, camera styles, both places of the neck, triplets and distillation.

    The intra round ends with a batch of fewer images than four processes.
    """
    name, size = case.rsplit(maxsplit=1)
    assert len(made[case]) == int(size)
    (one,) = made[f"{name} 1"]
    assert len(one["losses"]) == (4 if name == "feature" else 2)
    assert {len(np.unique(labels)) for labels in one["labels"]} == {5}
    agree(one, made[case])


def test_with_adamw_at_the_default_rate_digits_grow(made: dict[str, Any]) -> None:
    """It makes a whole step of a gradient that is nothing but rounding."""
    (one,) = made["adamw 1"]
    for other in made["adamw 2"]:
        assert np.array_equal(other["labels"], one["labels"])
        assert other["losses"] == pytest.approx(one["losses"], rel=0, abs=ADAMW)


@pytest.mark.parametrize("case", ["feature 4", "head 2", "batch norms 4"])
def test_all_processes_hold_the_same_bytes(made: dict[str, Any], case: str) -> None:
    first, *others = made[case]
    for other in others:
        assert other["losses"] == first["losses"]
        for name, weights in first["weights"].items():
            assert other["weights"][name].tobytes() == weights.tobytes(), name


@pytest.mark.parametrize("left_out", ["moments", "gradients"])
def test_processes_that_share_too_little_are_found(
    made: dict[str, Any], left_out: str
) -> None:
    """Else the tests above would show nothing."""
    (one,) = made["within"]
    for losses in made[f"without {left_out}"]:
        assert np.abs(np.subtract(losses, one)).max() > 1000 * CURVE


def test_a_run_is_taken_up_by_another_number_of_processes(made: dict[str, Any]) -> None:
    statuses, several = made["resumed"]
    assert statuses == [-9, 75]
    assert len(several) == 3
    agree(made["feature 1"][0], several)


def test_layers_see_the_whole_batch(made: dict[str, Any]) -> None:
    """Outputs, gradients, statistics: those of torch's batch norms, and drop path."""
    (one,) = made["normed 1"]
    assert len(made["normed 3"]) == 3
    for several in made["normed 3"]:
        for (values, state), (wanted, plain) in zip(several, one, strict=True):
            assert state.keys() == plain.keys()
            assert len(values) == len(wanted)
            for value, want in zip(values, wanted, strict=True):
                assert value == pytest.approx(want, rel=1e-4, abs=1e-4)


def test_what_cannot_be_is_refused(made: dict[str, Any]) -> None:
    for said in made["refused"]:
        assert said == [
            *(
                f"compute.processes: must be 1 for it, got 4: its layers ['{kind}'] "
                "cannot see a batch that several processes have parts of"
                for kind in ("Dropout", "EvoNorm2dB0", "BatchNorm2d")
            ),
            (
                "inter.num_instances: a batch must have an image for each of 4 "
                "processes, got 2: raise it, or lower compute.processes"
            ),
            (
                "compute.compile: must be false in 4 processes, got true: set it to "
                "false, or compute.processes to 1"
            ),
        ]


def test_what_goes_between_processes(made: dict[str, Any]) -> None:
    parts = [slice(0, 1), slice(1, 3), slice(3, 5), slice(5, 7)]
    starts, at_first = [[0], [3], [6], [9]], [[*range(10)], [3, 4, 5], [6, 7, 8], [9]]
    for number, there in enumerate(made["shared"]):
        own = parts[number]
        assert there == {
            "part": own,
            "gathered": [0, 1, 2, 3, 4, 5, 6],
            "gradient": [number + 1] * (own.stop - own.start),
            "summed": 1 + 2 + 3 + 4,
            "alone": (slice(0, 1), 1, 1),
            "passes": starts[number],
            "collected": [*range(10)],
            "at first": at_first[number],
            "from first": {"rank": 0},
            "copied": [[[0, 0]] * 3, 0],
        }


@pytest.mark.parametrize(
    ("case", "statuses"),
    [("clear", [75, 1, 75]), ("unknown", [75, 1, 75]), ("all", [1, 1, 1])],
)
def test_an_error_is_told_once(
    made: dict[str, Any], case: str, statuses: list[int]
) -> None:
    found, said = made[case]
    assert found == statuses
    if case == "unknown":
        assert said.startswith("Traceback")
        assert said.endswith("\nKeyError: 'what?'\n")
        assert said.count("Traceback") == 1
    else:
        assert said == "what to do\n"


def test_a_killed_process_ends_the_others(made: dict[str, Any]) -> None:
    statuses, said = made["killed"]
    assert statuses == [75, -9, 75]
    assert said.startswith("another process of this run has ended, or does not answer:")
    assert said.count("\n") == 1
