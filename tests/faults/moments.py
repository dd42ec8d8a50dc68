"""Moments of a command: drawn over the whole of it, and waited for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tests.faults.commands import Repro
from tests.faults.processes import STAGES, Process

PAUSE = 0.05  # seconds between two looks


class Moment(NamedTuple):
    """So many seconds after this stage, by number, was first seen; -1: the command."""

    stage: int
    seconds: float

    def __str__(self) -> str:
        """Return it in words."""
        name = STAGES[self.stage] if self.stage >= 0 else "the start"
        return f"{self.seconds:.1f} s after {name}"


Timeline = tuple[float, ...]  # seconds from the start until each stage, and the end


def timeline(command: Repro) -> Timeline:
    """Run a command; return when its stages were first seen, and when it ended."""
    started, seen = time.monotonic(), dict[str, float]()
    command.start()
    while command.running():
        for process in command.clone.processes():
            if process.stage:
                seen.setdefault(process.stage, time.monotonic() - started)
        time.sleep(PAUSE)
    if status := command.wait():
        raise RuntimeError(f"{command.name}: failed with {status}, without a fault")
    return (*(seen[name] for name in STAGES), time.monotonic() - started)


def drawn(rng: np.random.Generator, times: Timeline, number: int) -> list[Moment]:
    """Draw moments uniformly over a command, in their order."""
    starts = [0.0, *times[:-1]]
    moments = []
    for seconds in sorted(rng.uniform(0, times[-1], number)):
        place = int(np.searchsorted(starts, seconds, "right")) - 1
        moments.append(Moment(place - 1, float(seconds - starts[place])))
    return moments


def reached(command: Repro, moment: Moment) -> bool:
    """Wait for a moment; return whether it came before the command ended."""
    began = time.monotonic() if moment.stage < 0 else None
    while command.running():
        if began is None and furthest(command.clone.processes()) >= moment.stage:
            began = time.monotonic()
        if began is not None and time.monotonic() - began >= moment.seconds:
            return True
        time.sleep(PAUSE)
    return False


def furthest(processes: Sequence[Process]) -> int:
    """Return the number of the last stage that is at work, -1 for none."""
    return max((STAGES.index(p.stage) for p in processes if p.stage), default=-1)
