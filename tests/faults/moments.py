"""Moments of a command: drawn over its length, and waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tests.faults.clone import looks
from tests.faults.commands import Repro
from tests.faults.processes import STAGES, Process
from tests.faults.states import TRAINING, states


class Moment(NamedTuple):
    """So many seconds after something was seen.

    Parameters
    ----------
    stage
        Its number; -1: the command.
    seconds
        Since then.
    epochs
        0: since the stage was first seen. Else since it kept a state of so many epochs
        or more, in this life of the command: so that it has taken up what was there.
    end
        Since the process of the stage was gone.
    """

    stage: int
    seconds: float
    epochs: int = 0
    end: bool = False

    def __str__(self) -> str:
        """Return it in words."""
        name = STAGES[self.stage] if self.stage >= 0 else "the start"
        what = f"epoch {self.epochs} of " * (self.epochs > 0) + "the end of " * self.end
        return f"{self.seconds:.1f} s after {what}{name}"


class Span(NamedTuple):
    """From when a state was first seen until the next one, or the stage's end.

    Parameters
    ----------
    stage
        Its number.
    epochs
        Of the state.
    start, end
        Seconds from the start of the command.
    """

    stage: int
    epochs: int
    start: float
    end: float


class Timeline(NamedTuple):
    """Seconds from the start of a command until what was seen of it.

    Parameters
    ----------
    stages
        Until each stage.
    end
        Until its end.
    spans
        Of states, in order.
    """

    stages: tuple[float, ...]
    end: float
    spans: tuple[Span, ...]

    def ends(self) -> list[tuple[float, int]]:
        """Return when training stages ended, with their numbers."""
        last = {span.stage: span.end for span in self.spans}
        return [(end, stage) for stage, end in last.items()]


Timed = tuple[float, Moment]  # with the seconds from the start of the command


def timeline(command: Repro) -> Timeline:
    """Run a command; return when its stages and states were first seen."""
    started, seen, kept = time.monotonic(), dict[int, float](), dict[int, list[Span]]()
    command.start()
    pause = looks("the run without a fault does not end")
    while command.running():
        stage, now = furthest(command.clone.processes()), time.monotonic() - started
        if stage >= 0:
            seen.setdefault(stage, now)
        if stage >= 0 and STAGES[stage] in TRAINING:
            extend(kept.setdefault(stage, []), stage, now, command)
        next(pause)
    if status := command.wait():
        raise RuntimeError(f"{command.name}: failed with {status}, without a fault")
    spans = tuple(span for stage in sorted(kept) for span in kept[stage])
    if {STAGES[span.stage] for span in spans} != {*TRAINING}:
        raise RuntimeError(f"{command.name}: states were not seen, got {spans}")
    stages = tuple(seen[number] for number in range(len(STAGES)))
    return Timeline(stages, time.monotonic() - started, spans)


def extend(spans: list[Span], stage: int, now: float, command: Repro) -> None:
    """Let the spans of a stage reach to now, with a new one if there is a new state."""
    if spans:
        spans[-1] = spans[-1]._replace(end=now)
    of_stage = [s for s in states(command.clone.folder) if s.stage == STAGES[stage]]
    epochs = max((state.epochs for state in of_stage), default=0)
    if epochs > (spans[-1].epochs if spans else 0):
        spans.append(Span(stage, epochs, now, now))


def over_all(rng: np.random.Generator, times: Timeline, number: int) -> list[Timed]:
    """Draw moments uniformly over a command."""
    starts = [0.0, *times.stages]
    moments = []
    for seconds in rng.uniform(0, times.end, number):
        place = int(np.searchsorted(starts, seconds, "right")) - 1
        since = float(seconds - starts[place])
        moments.append((float(seconds), Moment(place - 1, since)))
    return moments


def while_training(
    rng: np.random.Generator, times: Timeline, number: int
) -> list[Timed]:
    """Draw moments uniformly over the time in which there are states of epochs."""
    starts = np.cumsum([0.0, *(span.end - span.start for span in times.spans)])
    moments = []
    for seconds in rng.uniform(0, starts[-1], number):
        place = int(np.searchsorted(starts[1:-1], seconds, "right"))
        span, since = times.spans[place], float(seconds - starts[place])
        moments.append((span.start + since, Moment(span.stage, since, span.epochs)))
    return moments


def at_ends(rng: np.random.Generator, times: Timeline, number: int) -> list[Timed]:
    """Draw training stages; return the moments at which their processes have ended."""
    ends = times.ends()
    drawn = [ends[int(place)] for place in rng.integers(len(ends), size=number)]
    return [(seconds, Moment(stage, 0.0, end=True)) for seconds, stage in drawn]


def reached(command: Repro, moment: Moment) -> bool:
    """Wait for a moment; return whether it came before the command ended."""
    has_begun, began = beginning(command, moment), None
    pause = looks(f"{moment} does not come")
    while command.running():
        if began is None and has_begun(command.clone.processes()):
            began = time.monotonic()
        if began is not None and time.monotonic() - began >= moment.seconds:
            return True
        next(pause)
    return False


def beginning(command: Repro, moment: Moment) -> Callable[[Sequence[Process]], bool]:
    """Return what tells, at every look, whether the seconds of a moment begin.

    They begin in any case once a later stage is at work: then it will not come again.
    """
    folder, seen = command.clone.folder, False
    before = {state.file for state in states(folder)}
    # Of this command no stage runs yet: those are orphans, whose end is not its own.
    orphans = {process.pid for process in command.clone.processes() if process.stage}

    def has_begun(processes: Sequence[Process]) -> bool:
        nonlocal seen
        if moment.end:
            processes = [each for each in processes if each.pid not in orphans]
        stage = furthest(processes)
        ended, seen = seen and stage != moment.stage, seen or stage == moment.stage
        if moment.end:
            return ended or stage > moment.stage
        if not moment.epochs:
            return stage >= moment.stage
        return stage > moment.stage or any(
            state.stage == STAGES[moment.stage]
            and state.epochs >= moment.epochs
            and state.file not in before
            for state in states(folder)
        )

    return has_begun


def furthest(processes: Sequence[Process]) -> int:
    """Return the number of the last stage that is at work, -1 for none."""
    return max((STAGES.index(p.stage) for p in processes if p.stage), default=-1)
