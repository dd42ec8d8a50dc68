"""Chains of kills: a command is killed, repeated, killed again, at last finished."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.faults.checks import (
    Earlier,
    Outcome,
    earlier,
    is_detached,
    is_edited,
    last_lines,
    left_behind,
    lost,
    mended_lock,
)
from tests.faults.clone import Clone, CommandError, looks
from tests.faults.commands import COMMANDS, Repro
from tests.faults.going_on import Watch
from tests.faults.moments import (
    Moment,
    Timeline,
    at_ends,
    over_all,
    reached,
    while_training,
)
from tests.faults.processes import clear, kill
from tests.faults.states import states

VICTIMS = ("stage", "dvc", "both")


class Kill(NamedTuple):
    """Whom to kill and when, and whether HEAD and queue are repaired afterwards."""

    victim: str
    moment: Moment
    repaired: bool

    @property
    def fault(self) -> str:
        """Name of the fault."""
        return f"kill of {self.victim}{', a stage having ended' * self.moment.end}"


class Case(NamedTuple):
    """What all begin with and must end with.

    Parameters
    ----------
    pristine
        The committed run.
    reference
        Gives the dvc.lock of the run to come.
    times
        Of `dvc repro` without a fault; the others take little longer.
    grown
        Bytes that the run adds.
    """

    pristine: Clone
    reference: Callable[[], str]
    times: Timeline
    grown: int


def plan(rng: np.random.Generator, times: Timeline, number: int) -> list[Kill]:
    """Draw the kills of a chain, in the order of their moments.

    Half of them strike while a stage trains that has whole epochs on disk; at least
    one strikes DVC when such a stage has ended, whose results it has yet to note.
    """
    at_end, training = max(1, number // 10), number // 2
    timed = [
        *over_all(rng, times, number - at_end - training),
        *while_training(rng, times, training),
        *at_ends(rng, times, at_end),
    ]
    victims, repaired = rng.choice(VICTIMS, number), rng.random(number) < 0.5
    return [
        Kill("dvc" if moment.end else str(victim), moment, bool(r))
        for (_, moment), victim, r in zip(sorted(timed), victims, repaired, strict=True)
    ]


def run_chain(
    case: Case,
    name: str,
    kills: list[Kill],
    top: Path,
    between: Callable[[Clone], None] | None = None,
) -> list[Outcome]:
    """Run a command with these kills; return what became of it, by fault.

    `between` is called after each kill. The copy is deleted if all is well.
    """
    clone = case.pristine.copy(top)
    command, before = COMMANDS[name](clone), earlier(clone)
    outcomes = {kill.fault: Outcome(kill.fault, name) for kill in kills}
    last = outcomes[kills[0].fault]
    try:
        command.prepare()
        watch = Watch(clone)
        for each in kills:
            last, told = outcomes[each.fault], said(clone)
            if not struck(command, each):
                last.troubles += failure(command, told)
                break
            last.injected += 1
            on_disk = states(clone.folder)
            # What a queue has printed is added when it is repaired.
            place = None if command.must_repair else len(clone.told())
            look(command, each, before, last)
            watch.note(last, on_disk, place)
            if between:
                between(clone)
        complete(command, case.reference, last)
        watch.end()
    except CommandError as error:
        last.troubles.append(str(error))
        command.end()
    last.lost += lost(clone, before)
    tidy(clone, list(outcomes.values()))
    return list(outcomes.values())


def struck(command: Repro, wanted: Kill) -> bool:
    """Start the command, kill at the moment; return whether there was any to kill."""
    command.start()
    if not reached(command, wanted.moment):
        return False
    pause = looks("nothing that can be killed comes")
    while command.running():
        there = command.clone.processes()
        stages = [p for p in there if p.stage]
        chosen = {
            "stage": stages,
            "dvc": [p for p in there if p.is_dvc],
            "both": there,
        }[wanted.victim]
        if kill(chosen):
            return True
        next(pause)
    return False


def look(command: Repro, done: Kill, before: Earlier, outcome: Outcome) -> None:
    """See what a kill has left, and repair what the documentation says."""
    clone = command.clone
    command.settle()
    if done.victim == "both":
        clear(clone.folder)
    outcome.lost += lost(clone, before)
    outcome.cut += mended_lock(clone)
    outcome.detached += is_detached(clone)
    outcome.stashed += not is_edited(clone)
    # Else the command is repeated at once, beside the stage that lives on.
    if done.victim != "dvc" or done.repaired:
        outcome.troubles += command.status()
    if done.repaired or command.must_repair:
        command.repair()


def complete(command: Repro, reference: Callable[[], str], outcome: Outcome) -> None:
    """Run the command to its end and compare its results."""
    told = said(command.clone)
    command.start()
    if troubles := failure(command, told):
        outcome.troubles += troubles
        return
    command.finish()
    outcome.differing += command.differing(reference())
    outcome.left += left_behind(command.clone)
    outcome.troubles += command.status()
    if is_detached(command.clone) or not is_edited(command.clone):
        outcome.troubles.append("the repair does not bring HEAD and edits back")


def said(clone: Clone) -> int:
    """Return how much the commands of a copy have said so far, in bytes."""
    return clone.log.stat().st_size if clone.log.exists() else 0


def failure(command: Repro, told: int) -> list[str]:
    """Wait for a command that nobody kills; return how it failed, if it did."""
    status = command.wait()
    text = command.clone.log.read_bytes()[told:].decode(errors="replace")
    return [f"by itself: {status}: {last_lines(text)}"] if status else []


def tidy(clone: Clone, outcomes: list[Outcome]) -> None:
    """Remove a copy in which all went well."""
    clear(clone.folder)
    if not any(o.lost or o.differing or o.troubles or o.left for o in outcomes):
        clone.remove()
