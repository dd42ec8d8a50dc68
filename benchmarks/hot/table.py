"""The results as a Markdown table, goals beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks.hot.path import Case, Goal, Path

Result = Mapping[str, Any]
HEAD = (
    "| path | size | peer | ours, s | peer, s | ratio | ratio, CPU | growth, MB "
    "| agreement | goal | met |\n|---|---|---|--:|--:|--:|--:|--:|---|---|---|"
)
LEGEND = """\
Ratios are the peer's time divided by ours, by the clock and by processor seconds.
Growth is the peak of memory above the inputs, ours / the peer's. ≈: extrapolated from
the part that the peer's name says. ¹: run once, as it takes minutes. ²: other programs
took a part in the processor.
"""


class Row(NamedTuple):
    """A peer beside ours, or ours alone (then the peer is None)."""

    path: Path
    case: Case
    name: str
    ours: Result
    peer: Result | None
    agreement: Result | None

    @property
    def ratio(self) -> float | None:
        """Return the ratio of times, if both came to a result."""
        return self._ratio("wall")

    @property
    def cpu_ratio(self) -> float | None:
        """Return the ratio of processor seconds."""
        return self._ratio("cpu")

    def _ratio(self, key: str) -> float | None:
        if self.peer is None or "error" in self.peer or "error" in self.ours:
            return None
        return float(self.peer[key]) / max(float(self.ours[key]), 1e-6)

    @property
    def goal(self) -> Goal | None:
        """Return what is asked for, if anything."""
        return self.case.goals.get(self.name)


def rows_of(path: Path, cases: tuple[Case, ...], results: Result) -> Iterator[Row]:
    """Yield the rows of a path, of the cases there are results for."""
    for case in cases:
        if case.label not in results:
            continue
        found = results[case.label]
        if "error" in found:
            yield Row(path, case, "", found, None, None)
            continue
        for name, peer in found["peers"].items():
            agreement = found["agreement"].get(name)
            yield Row(path, case, name, found["ours"], peer, agreement)
        if not found["peers"]:
            yield Row(path, case, "", found["ours"], None, None)


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown, the path and size named once."""
    lines, before = [HEAD], ("", "")
    for row in rows:
        here = (row.path.title, row.case.label)
        title = here[0] if here[0] != before[0] else ""
        size = here[1] if here != before else ""
        lines.append(f"| {' | '.join((title, size, *cells(row)))} |")
        before = here
    return "\n".join(lines) + "\n"


def cells(row: Row) -> tuple[str, ...]:
    """Return a row's cells, from the peer on."""
    peer = row.peer
    return (
        "–" if peer is None else peer["label"],
        seconds(row.ours),
        "–" if peer is None else seconds(peer),
        times(row.ratio),
        times(row.cpu_ratio),
        growth(row),
        agreed(row),
        asked(row.goal),
        met(row),
    )


def seconds(result: Result) -> str:
    """Return a time with the marks that belong to it, or the error."""
    if "error" in result:
        return f"({result['error']})"
    about = "≈ " if result["part"] < 1 else ""
    once = "¹" if len(result["runs"]) == 1 else ""
    disturbed = "²" if result["disturbed"] else ""
    return f"{about}{three(result['wall'])}{once}{disturbed}"


def three(value: float) -> str:
    """Return a number with three digits, or more before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def times(ratio: float | None) -> str:
    """Return a ratio."""
    return "–" if ratio is None else f"{three(ratio)} ×"


def growth(row: Row) -> str:
    """Return the growth of ours and of the peer, unless that did a part of the work."""
    told = []
    for result in (row.ours, row.peer):
        if result is not None:
            unknown = "error" in result or result["part"] < 1
            told.append("–" if unknown else f"{max(result['growth'], 0):,.0f}")
    return " / ".join(told)


def agreed(row: Row) -> str:
    """Return what the check found, and whether ours is the same every time."""
    texts = []
    if row.agreement is not None:
        told = row.agreement
        texts.append(told["text"] if "text" in told else f"({told['error']})")
    if not row.ours.get("same", True):
        texts.append("**ours differs from run to run**")
    return "; ".join(texts) or "–"


LIMITS = (
    ("wall", "≥ {:g} ×"),
    ("cpu", "CPU ≥ {:g} ×"),
    ("seconds", "≤ {:g} s"),
    ("growth", "growth ≤ {:g} MB"),
    ("peak", "in all ≤ {:g} MB"),
)


def asked(goal: Goal | None) -> str:
    """Return a goal in words."""
    if goal is None:
        return "–"
    limits = ((text, getattr(goal, name)) for name, text in LIMITS)
    return ", ".join(text.format(value) for text, value in limits if value is not None)


def met(row: Row) -> str:
    """Return whether a goal is reached, at a result that agrees."""
    if row.goal is None or "error" in row.ours:
        return "–"
    missed = list(misses(row, row.goal))
    return f"**no**: {', '.join(missed)}" if missed else "yes"


def misses(row: Row, goal: Goal) -> Iterator[str]:
    """Yield what is missed."""
    for name, ratio in (("wall", row.ratio), ("cpu", row.cpu_ratio)):
        least = getattr(goal, name)
        if least is not None and (ratio is None or ratio < least):
            yield {"wall": "ratio", "cpu": "CPU"}[name]
    for name, key in (("seconds", "wall"), ("growth", "growth"), ("peak", "peak")):
        most = getattr(goal, name)
        if most is not None and row.ours[key] > most:
            yield f"{name} {three(row.ours[key])}"
    if row.peer is not None and not (row.agreement or {}).get("holds", False):
        yield "agreement"
    if not row.ours["same"]:
        yield "not the same every time"
