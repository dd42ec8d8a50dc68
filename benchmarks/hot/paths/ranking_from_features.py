"""CMC, mAP and mINP from features, distances included."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.hot.agree import same_metrics
from benchmarks.hot.path import Arrays, Case, Goal, Implementation, Path
from benchmarks.hot.paths import ranking
from benchmarks.hot.world import distances, query_and_gallery
from crosscam.rank.feature_set import FeatureSet
from crosscam.rank.match import match_features

CHUNK_SIZE = 512  # params.yaml


def ours(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start ours."""
    query = FeatureSet(arrays["query"], arrays["q_pids"], arrays["q_camids"])
    gallery = FeatureSet(arrays["gallery"], arrays["g_pids"], arrays["g_camids"])

    def run() -> Arrays:
        matches = match_features(query, gallery, CHUNK_SIZE)
        return ranking.scored(matches, len(query.pids))

    return run


def fast_reid(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start a product of float32 matrices, then fast-reid's Cython."""
    ranking.fast_reid({**arrays, "distmat": arrays["query"][:, :0]})  # is it there?

    def run() -> Arrays:
        distmat = distances(arrays["query"], arrays["gallery"])
        return ranking.fast_reid({**arrays, "distmat": distmat})()

    return run


PATH = Path(
    title="CMC, mAP, mINP from features (768 values)",
    inputs=query_and_gallery,
    ours=Implementation("crosscam", ours),
    peers={
        "fast-reid": Implementation(
            "numpy, then fast-reid, Cython", fast_reid, tolerance=1e-5
        )
    },
    agreement=same_metrics,
    cases=(
        Case(ranking.MARKET, (3368, 15_913), {"fast-reid": Goal(wall=2)}),
        Case(ranking.MSMT, (11_659, 82_161), {"fast-reid": Goal(wall=5, peak=1200)}),
    ),
    quick=(200, 2000),
    warm=lambda *_: (50, 200),
)
