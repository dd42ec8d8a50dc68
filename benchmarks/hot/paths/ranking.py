"""CMC, mAP and mINP from given distances."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.hot.agree import same_metrics
from benchmarks.hot.packages import module_of
from benchmarks.hot.path import Arrays, Case, Goal, Implementation, Path
from benchmarks.hot.world import distances, query_and_gallery
from crosscam.rank.match import Matches, match_distmat
from crosscam.rank.score import score

MAX_RANK = 20
SAMPLE = 200  # queries that scikit-learn scores
MARKET, MSMT = "3,368 × 15,913", "11,659 × 82,161"


def inputs(num_query: int, num_gallery: int) -> Arrays:
    """Return the distances of a test set, its identities and cameras."""
    found = dict(query_and_gallery(num_query, num_gallery))
    return {"distmat": distances(found.pop("query"), found.pop("gallery")), **found}


def scored(matches: Matches, num_query: int) -> Arrays:
    """Return AP and INP by query, 0 without a true match, and the CMC curve."""
    found = score(matches.query, matches.wrong)
    ap, inp = np.zeros((2, num_query))
    ap[found.group], inp[found.group] = found.ap, found.inp
    return {"ap": ap, "inp": inp, "cmc": curve(found.first)}


def curve(first: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the part of the queries that have their first match up to each rank."""
    ranks = np.arange(1, MAX_RANK + 1)
    return np.array([(first <= rank).mean() for rank in ranks])


def identities(arrays: Arrays) -> list[NDArray[np.int64]]:
    """Return pids and camids of the query, then of the gallery."""
    return [arrays[name] for name in ("q_pids", "q_camids", "g_pids", "g_camids")]


def ours(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start ours."""
    distmat, known = arrays["distmat"], identities(arrays)
    return lambda: scored(match_distmat(distmat, *known), len(distmat))


def fast_reid(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start fast-reid's Cython."""
    module = module_of("fastreid", "evaluation/rank_cylib/rank_cy*.so")
    q_pids, q_camids, g_pids, g_camids = identities(arrays)
    distmat = arrays["distmat"]

    def run() -> Arrays:
        cmc, ap, inp = module.evaluate_cy(
            distmat, q_pids, g_pids, q_camids, g_camids, MAX_RANK
        )
        return {"ap": np.asarray(ap), "inp": np.asarray(inp), "cmc": np.asarray(cmc)}

    return run


def scikit_learn(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start scikit-learn's AP, query by query, over a sample of them."""
    from sklearn.metrics import average_precision_score

    q_pids, q_camids, g_pids, g_camids = identities(arrays)
    distmat = arrays["distmat"]

    def ap_of(row: int) -> float:
        valid = (g_pids != q_pids[row]) | (g_camids != q_camids[row])
        right = g_pids[valid] == q_pids[row]
        if not right.any():
            return 0.0
        return float(average_precision_score(right, -distmat[row, valid]))

    rows = range(min(SAMPLE, len(distmat)))
    return lambda: {"ap": np.array([ap_of(row) for row in rows])}


def sampled(num_query: int, _: int) -> float:
    """Return the part of the queries that are in the sample."""
    return min(SAMPLE, num_query) / num_query


GOALS = {"fast-reid": Goal(wall=10), "scikit-learn": Goal(wall=10)}

PATH = Path(
    title="CMC, mAP, mINP from distances",
    inputs=inputs,
    ours=Implementation("crosscam", ours),
    peers={
        "fast-reid": Implementation("fast-reid, Cython", fast_reid, tolerance=1e-5),
        "scikit-learn": Implementation(
            f"scikit-learn, AP of {SAMPLE} queries",
            scikit_learn,
            tolerance=1e-9,
            part=sampled,
        ),
    },
    agreement=same_metrics,
    cases=(
        Case(MARKET, (3368, 15_913), GOALS),
        Case(MSMT, (11_659, 82_161), GOALS),
    ),
    quick=(200, 2000),
    warm=lambda *_: (50, 200),
)
