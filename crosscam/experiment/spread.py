"""What a number is over seeds, and whether two recipes differ in it.

Both intervals are Student's: of a mean, and of the mean of the differences by seed. The
latter is the narrower the more both recipes find the same seed easy or hard.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy.stats import t as student

CONFIDENCE = 0.95


class SpreadError(ValueError):
    """Fewer runs than an interval can be made from."""


class Spread(NamedTuple):
    """A number over runs.

    Parameters
    ----------
    mean, sd
        Mean and standard deviation (of the sample: n - 1).
    low, high
        95 % confidence interval of the mean.
    num
        Of runs.
    """

    mean: float
    sd: float
    low: float
    high: float
    num: int


class Difference(NamedTuple):
    """The second recipe's number minus the first's, by pairs of equal seeds.

    Parameters
    ----------
    spread
        Of the differences.
    resolved
        Whether the interval leaves out 0.
    num_needed
        About how many seeds the interval would need to leave out 0 if mean and standard
        deviation stayed as they are; None where all pairs are equal.
    """

    spread: Spread
    resolved: bool
    num_needed: int | None


def spread(values: Sequence[float]) -> Spread:
    """Return mean, standard deviation and confidence interval of some runs' number.

    Parameters
    ----------
    values
        One per run.

    Raises
    ------
    SpreadError
        If there are fewer than two.
    """
    num = len(values)
    if num < 2:
        raise SpreadError(f"spread: needs at least 2 runs, got {num}: add seeds")
    mean, sd = statistics.fmean(values), statistics.stdev(values)
    half = _quantile(num) * sd / math.sqrt(num)
    return Spread(mean, sd, mean - half, mean + half, num)


def difference(first: Mapping[int, float], second: Mapping[int, float]) -> Difference:
    """Return how far the second recipe is from the first, seed by seed.

    Parameters
    ----------
    first, second
        Number by seed; only seeds of both count.

    Raises
    ------
    SpreadError
        If they share fewer than two seeds.
    """
    shared = sorted(first.keys() & second.keys())
    if len(shared) < 2:
        raise SpreadError(
            f"difference: needs at least 2 seeds in common, got {sorted(first)} and "
            f"{sorted(second)}: run both over the same seeds"
        )
    found = spread([second[seed] - first[seed] for seed in shared])
    resolved = found.low > 0 or found.high < 0
    return Difference(found, resolved, _num_needed(found))


def _num_needed(found: Spread) -> int | None:
    if found.mean == 0:
        return None
    ratio = found.sd / abs(found.mean)
    # The normal approximation starts the search; the t quantile falls with num.
    num = max(2, math.floor((1.96 * ratio) ** 2))
    while _quantile(num) * ratio >= math.sqrt(num):
        num += 1
    return num


def _quantile(num: int) -> float:
    return float(student.ppf((1 + CONFIDENCE) / 2, num - 1))
