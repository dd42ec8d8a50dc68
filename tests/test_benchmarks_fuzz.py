"""A short form of ``python -m benchmarks.fuzz``, and that it finds what is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz import Target, fuzz
from benchmarks.fuzz_targets import TARGETS
from benchmarks.mutations import reworded, spoiled

NUM_INPUTS = {
    "params": 10,
    "checkpoints": 15,
    "states": 40,
}  # the others are much faster


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_spoiled_files_are_read_or_refused(target: Target) -> None:
    number = NUM_INPUTS.get(target.name, 80)
    found = fuzz(target, seed=1, seconds=600, limit=number)
    assert found.crashes == {}
    assert found.executions == number
    assert found.refused > number // 2


def test_other_errors_and_warnings_are_found() -> None:
    def read(path: Path) -> None:
        {b"a": int, b"b": float}[path.read_bytes()]("x")

    data = iter([b"a", b"b", b"c"])
    target = Target("it", lambda rng: next(data), read, ValueError)
    found = fuzz(target, seed=0, seconds=600, limit=3)
    assert (found.taken, found.refused, found.executions) == (0, 2, 3)
    ((said, kept),) = found.crashes.items()
    assert said.startswith("it 0 2\n")
    assert said.endswith("KeyError: b'c'\n")
    assert kept == b"c"


def test_faults_are_those_of_their_seed() -> None:
    data, text = bytes(range(200)), "a: 1\nb: [2, 3]\n"
    for seed in range(50):
        first, again = (np.random.default_rng(seed) for _ in range(2))
        assert spoiled(data, first) == spoiled(data, again)
        assert reworded(text, first) == reworded(text, again)
    rngs = [np.random.default_rng(seed) for seed in range(50)]
    assert len({spoiled(data, rng) for rng in rngs}) > 40
