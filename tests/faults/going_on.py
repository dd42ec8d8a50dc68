"""Whether epochs that were on disk after a fault are taken up, none trained anew."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from tests.faults.checks import WAITED, Outcome
from tests.faults.clone import Clone
from tests.faults.states import TRAINING, State, states

EPOCH = re.compile(
    r"^Running stage '(?P<running>\w+)':"
    r"|^(?P<taken>going on after )?(?P<phase>intra|inter) "
    r"round (?P<round>\d+)/\d+ epoch (?P<epoch>\d+)",
    re.MULTILINE,
)


class Told(NamedTuple):
    """What a training stage has said of an epoch.

    Parameters
    ----------
    place
        Of the line in the log.
    taken
        Whether the stage goes on after it, or else has trained it.
    epochs
        Of the stage, this one included.
    """

    place: int
    taken: bool
    epochs: int


class Left(NamedTuple):
    """What a fault has left of a training stage.

    Parameters
    ----------
    stage
        Its name.
    epochs
        That must not be trained again.
    due
        Whether the stage must run again, as nobody can have noted its results.
    outcome
        Of the fault.
    """

    stage: str
    epochs: int
    due: bool
    outcome: Outcome


class Watch:
    """The faults in a copy, with what was on disk after each.

    A life is what a command does from a fault to the next, or to its end.

    Parameters
    ----------
    clone
        With the parameters of the run, and no fault so far.
    """

    def __init__(self, clone: Clone) -> None:
        self.clone, self.read = clone, len(clone.told())
        path = clone.folder / "params.yaml"
        self.params: dict[str, Any] = YAML(typ="safe", pure=True).load(path)
        self.open: list[Left] = []
        self.last: Outcome | None = None

    def note(
        self, outcome: Outcome, on_disk: Sequence[State], said: int | None = None
    ) -> None:
        """Judge the life that a fault has ended, and note what it has left.

        Parameters
        ----------
        outcome
            Of the fault.
        on_disk
            What there was right after it. An orphan may have come further since then,
            and may tell so later.
        said
            Characters that had been printed by then: where an orphan was hit alone,
            the command has gone on since. None: all that there are.
        """
        told, self.last = self._judge(said), outcome
        then = {state.stage: state for state in on_disk}
        now = {state.stage: state for state in states(self.clone.folder)}
        for stage in TRAINING:
            lines = [*epochs(told, stage, self.params)]
            # The epoch whose end was told last may not have been kept.
            whole = max((line.epochs for line in lines), default=0) - 1
            if stage in now and now[stage].epochs < whole:
                kept = f"{stage}: kept {now[stage].epochs} epochs of {whole + 1}"
                outcome.troubles.append(kept)
            by_then = [line.epochs for line in lines if line.place < self.read]
            num = max(by_then, default=0) - 1
            left = Left(stage, num, False, outcome)  # if DVC has the results
            if stage in then:
                due = not then[stage].finished
                left = Left(stage, then[stage].epochs, due, outcome)
            if left.epochs > 0 and (stage in then or stage not in now):
                self.open.append(left)

    def end(self) -> None:
        """Judge the last life, after which nothing may be left to be taken up."""
        self._judge()
        for left in self.open:
            if left.due:
                left.outcome.kept += 1
                left.outcome.troubles.append(f"{left.stage}: never taken up")
        self.open = []

    def _judge(self, said: int | None = None) -> str:
        """Judge the life that has ended; return all that was told."""
        told = self.clone.told()
        end = len(told) if said is None else said
        if self.last:
            self.last.waited += told.count(WAITED, self.read, end)
        lives = {
            stage: [x for x in epochs(told, stage, self.params) if x.place >= self.read]
            for stage in TRAINING
        }
        self.open = [
            left
            for left in self.open
            if not judged(left, [x for x in lives[left.stage] if x.place < end])
        ]
        self.read = end
        return told


def judged(left: Left, life: list[Told]) -> bool:
    """Judge what became of an epoch on disk; return whether a life says that."""
    for line in life:
        # An orphan goes on without a word, with epochs that are new.
        if line.taken or line.epochs <= left.epochs:
            left.outcome.kept += 1
            if line.taken and line.epochs >= left.epochs:
                left.outcome.resumed += 1
            else:
                how = "goes on after" if line.taken else "trains"
                left.outcome.troubles.append(
                    f"{left.stage}: {how} epoch {line.epochs}, had {left.epochs}"
                )
            return True
    return False


def epochs(told: str, stage: str, params: dict[str, Any]) -> Iterator[Told]:
    """Yield the lines of a stage that name an epoch.

    Parameters
    ----------
    told
        What a command has printed.
    stage
        A training stage.
    params
        Of the run.
    """
    running = ""
    for match in EPOCH.finditer(told):
        if match["running"]:
            running = match["running"]
        elif running == stage:
            phase, place = match["phase"], (int(match["round"]), int(match["epoch"]))
            number = epochs_until(stage, phase, *place, params)
            yield Told(match.start(), match["taken"] is not None, number)


def epochs_until(
    stage: str, phase: str, number: int, epoch: int, params: dict[str, Any]
) -> int:
    """Return how many epochs of a stage are done after one of its rounds' epochs."""
    if stage == "intra":
        done: int = (number - 1) * params["intra"]["epochs"]
    else:
        inter, intra = params["inter"]["epochs"], params["inter"]["intra_epochs"]
        done = (number - 1) * (inter + intra)
        if phase == "intra":  # it precedes each inter round but the first
            done -= intra
    return done + epoch
