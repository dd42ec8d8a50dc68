"""The distance below which a small part of all pairs lie."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.hot.agree import close
from benchmarks.hot.path import Arrays, Case, Implementation, Path
from benchmarks.hot.paths import reranking
from crosscam.cluster.distances import distance_at

QUANTILE = 0.0017


def ours(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start ours."""
    distances = arrays["distances"]
    return lambda: {"matrix": np.array([[distance_at(distances, QUANTILE)]])}


def copied(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start numpy's quantile of a copy of the positive upper triangle."""
    distances = arrays["distances"]

    def run() -> Arrays:
        upper = np.concatenate([row[i + 1 :] for i, row in enumerate(distances)])
        found = np.quantile(upper[upper > 0], QUANTILE, method="lower")
        return {"matrix": np.array([[found]], np.float64)}

    return run


PATH = Path(
    title="distance at a quantile of all pairs",
    inputs=reranking.inputs,
    ours=Implementation("crosscam", ours),
    peers={"numpy": Implementation("numpy, of the copied upper triangle", copied)},
    agreement=close,
    cases=(Case("12,936", (12_936,)),),
    quick=(1000,),
    warm=lambda _: (100,),
)
