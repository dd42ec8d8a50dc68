"""Bootstrap intervals of a mean over queries."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Interval(NamedTuple):
    """Both ends of an interval."""

    low: float
    high: float


def bootstrap_interval(
    values: NDArray[np.float64], num_resamples: int, seed: int
) -> Interval:
    """Return the 95 % percentile bootstrap interval of a mean.

    Draws `num_resamples` times as many values as there are, with replacement, and
    returns the 2.5th and 97.5th percentile of their means (Efron and Tibshirani, An
    Introduction to the Bootstrap, 1993, chapter 13). Equal seeds draw equal rows,
    whatever the values.

    Parameters
    ----------
    values
        Shape (num_queries,), at least one.
    num_resamples
        At least 1.
    seed
        Of numpy's default generator.

    Returns
    -------
    Interval
        Between the smallest and the largest value.

    Notes
    -----
    It tells how far the mean would move with other queries against the same gallery
    and model. It does not hold the spread between training seeds, and queries of one
    identity are drawn one by one, as if they were independent.
    """
    generator = np.random.default_rng(seed)
    means = [
        values[generator.integers(len(values), size=len(values))].mean()
        for _ in range(num_resamples)
    ]
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(low), float(high))
