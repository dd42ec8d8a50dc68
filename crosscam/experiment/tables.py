"""Numbers over seeds as Markdown: of one recipe, and of two beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from crosscam.experiment.spread import SpreadError, difference, spread

METRICS = {
    "mAP": "mAP",
    "mINP": "mINP",
    "rank1": "rank-1",
    "rank5": "rank-5",
    "rank10": "rank-10",
    "mAP_reranked": "mAP, re-ranked",
    "rank1_reranked": "rank-1, re-ranked",
}
Run = Mapping[str, Any]


def between_marks(text: str, mark: str, lines: str) -> str:
    """Return a document with these lines between ``<!-- mark -->`` and its end mark."""
    start, end = f"<!-- {mark} -->\n", f"<!-- /{mark} -->"
    before, rest = text.split(start)
    return before + start + lines + end + rest.split(end)[1]


def spread_table(name: str, runs: Sequence[Run]) -> str:
    """Return mean, deviation and interval of each metric, by checkpoint.

    Parameters
    ----------
    name
        Of the recipe.
    runs
        Each with its `seed`, `checkpoint` and `metrics`, as fractions.

    Returns
    -------
    str
        Markdown, in percent.

    Raises
    ------
    SpreadError
        If a checkpoint has fewer than two runs.
    """
    lines = [f"| {name} | metric | mean ± sd | 95 % of the mean |", "|---|---|--:|--:|"]
    for checkpoint in dict.fromkeys(run["checkpoint"] for run in runs):
        own = [run for run in runs if run["checkpoint"] == checkpoint]
        for metric, label in in_all(own):
            s = spread([100 * run["metrics"][metric] for run in own])
            cells = f"{s.mean:.1f} ± {s.sd:.1f} | {s.low:.1f} to {s.high:.1f}"
            lines.append(f"| {checkpoint} | {label} | {cells} |")
    seeds = sorted({run["seed"] for run in runs})
    lines += ["", f"Percent, over seeds {', '.join(map(str, seeds))}."]
    return "\n".join(lines) + "\n"


def in_all(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Return the metrics that all runs have, and what they are called."""
    pairs = METRICS.items()
    return [pair for pair in pairs if all(pair[0] in run["metrics"] for run in runs)]


def paired_table(names: Sequence[str], runs: Sequence[Sequence[Run]]) -> str:
    """Return what two recipes differ by, and whether that is resolved.

    Parameters
    ----------
    names
        Of the two.
    runs
        Of the two, of one checkpoint each.

    Raises
    ------
    SpreadError
        If they share fewer than two seeds.
    """
    lines = [f"| metric | {names[0]} | {names[1]} | difference (95 %) | |"]
    lines.append("|---|--:|--:|--:|---|")
    for metric, label in in_all([*runs[0], *runs[1]]):
        both = [{r["seed"]: 100 * r["metrics"][metric] for r in part} for part in runs]
        d = difference(*both)
        shared = sorted(both[0].keys() & both[1].keys())
        means = [fmean(values[seed] for seed in shared) for values in both]
        change = f"{d.spread.mean:+.1f} ({d.spread.low:+.1f} to {d.spread.high:+.1f})"
        lines.append(
            f"| {label} | {means[0]:.1f} | {means[1]:.1f} | {change} "
            f"| {verdict(d.resolved, d.num_needed)} |"
        )
    lines += ["", f"Percent; pairs of equal seeds: {', '.join(map(str, shared))}."]
    return "\n".join(lines) + "\n"


def verdict(resolved: bool, num_needed: int | None) -> str:
    """Return in words whether a difference is seen, and if not what it would take."""
    if resolved:
        return "resolved"
    if num_needed is None:
        return "none"
    return f"not resolved; as it looks, about {num_needed} seeds would do"


def of_checkpoint(runs: Sequence[Run], checkpoint: str) -> list[Run]:
    """Return the runs evaluated at one checkpoint.

    Raises
    ------
    SpreadError
        If there is none.
    """
    found = [run for run in runs if run["checkpoint"] == checkpoint]
    if not found:
        known = sorted({run["checkpoint"] for run in runs})
        raise SpreadError(f"checkpoint: known are {known}, got {checkpoint!r}")
    return found
