"""The report: a table of the outcomes in docs/faults.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

from tests.faults.checks import Outcome

HEAD = (
    "| fault | command | injected | results lost | bytes that differ | other troubles "
    "| epochs on disk | taken up | waited for an orphan | HEAD detached "
    "| edits in git's stash | dvc.lock cut off | left behind |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
)
# What was left, or allowed; the name of a folder stays.
AMOUNT = r"^\d+ [KM]iB( left)?(, \d+ \*\.tmp of DVC)?: "
KILLS = ("kill of ", "kill, ")  # of runs


def merged(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return one outcome for each fault and command."""
    result: dict[tuple[str, str], Outcome] = {}
    for one in outcomes:
        into = result.setdefault(
            (one.fault, one.command), Outcome(one.fault, one.command)
        )
        for key, value in vars(one).items():
            if key not in {"fault", "command"}:
                setattr(into, key, getattr(into, key) + value)
    return list(result.values())


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes as a table: of faults that came, and all that went wrong."""
    every = merged([o for o in outcomes if o.injected or failed([o])])
    rows = [row(o.fault, f"`{o.command}`", o) for o in every]
    total = Outcome("**all**", "")
    for one in every:
        for key, value in vars(one).items():
            if key not in {"fault", "command"}:
                setattr(total, key, getattr(total, key) + value)
    return HEAD + "".join(rows) + row(total.fault, "", total)


def row(fault: str, command: str, o: Outcome) -> str:
    many = (o.lost, o.differing, o.troubles)
    of_git = (o.detached, o.stashed, o.cut)
    runs = (o.kept, o.resumed, o.waited)
    counts = [o.injected, *map(len, many), *runs, *of_git, len(o.left)]
    return f"| {fault} | {command} | " + " | ".join(map(str, counts)) + " |\n"


def messages(outcomes: Sequence[Outcome]) -> str:
    """Return what commands said about faults, by kind, each once and how often."""
    said = Counter(
        (o.fault, re.sub(AMOUNT, "", m)) for o in outcomes for m in o.messages
    )
    lines = []
    for fault, texts in groupby(sorted(said), key=lambda pair: pair[0]):
        of_fault = [f"{text}{times(said[fault, text])}" for _, text in texts]
        lines += [f"\n{fault}:\n", "```text", *of_fault, "```"]
    return "\n".join(lines) + "\n"


def times(number: int) -> str:
    return f" ({number} times)" if number > 1 else ""


def failed(outcomes: Sequence[Outcome]) -> list[str]:
    """Return all that must not be, in words."""
    kills = [o for o in outcomes if o.fault.startswith(KILLS)]
    struck, taken = sum(o.injected for o in kills), sum(o.resumed for o in kills)
    nothing = [f"kills: {struck}, and nothing was taken up: nothing was tried"]
    return nothing * (struck > 0 and not taken) + [
        f"{o.fault}, {o.command}: {what}: {each}"
        for o in outcomes
        for what in ("lost", "differing", "troubles", "left")
        for each in getattr(o, what)
    ]
