"""k-reciprocal re-ranking of a test set: query by gallery, distances given.

Both get the distances between all images, whose computation is no part of the time:
torchreid takes them as three matrices of Euclidean ones, and squares them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.hot.agree import close
from benchmarks.hot.literal import first_neighbours, reranked
from benchmarks.hot.packages import module_of
from benchmarks.hot.path import Arrays, Case, Goal, Implementation, Path
from benchmarks.hot.world import distances, query_and_gallery
from crosscam.cluster.jaccard import RerankParams

PARAMS = RerankParams(k1=20, k2=6, lambda_=0.3)


def ours(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start ours."""
    from crosscam.rank.rerank import reranked_part

    features = np.concatenate([arrays["query"], arrays["gallery"]])
    given, num_query = distances(features, features), len(arrays["query"])
    return lambda: {"matrix": reranked_part(given, num_query, PARAMS)}


def torchreid(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start torchreid's."""
    re_ranking = module_of("torchreid", "reid/utils/rerank.py").re_ranking
    query, gallery = arrays["query"], arrays["gallery"]
    parts = (query, gallery), (query, query), (gallery, gallery)
    given = [np.sqrt(2 * distances(*pair)) for pair in parts]
    sizes = PARAMS.k1, PARAMS.k2, PARAMS.lambda_
    return lambda: {"matrix": re_ranking(*given, *sizes)}


def exact(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start the same steps on our distances, with ties in order."""
    features = np.concatenate([arrays["query"], arrays["gallery"]])
    k1, k2, lambda_ = PARAMS.k1, PARAMS.k2, PARAMS.lambda_
    num_query = len(arrays["query"])

    def run() -> Arrays:
        found = distances(features, features)
        ranks = first_neighbours(found, k1 + 1)
        found /= found.max(axis=1, keepdims=True)
        full = reranked(found, ranks, k1, k2, lambda_, np.float32, num_query)
        return {"matrix": full[:, num_query:]}

    return run


PATH = Path(
    title="re-ranking, query by gallery (k1 20, k2 6, λ 0.3)",
    inputs=query_and_gallery,
    ours=Implementation("crosscam", ours),
    peers={"torchreid": Implementation("torchreid, numpy", torchreid, tolerance=1e-6)},
    untimed={"exact": Implementation("the same in order", exact)},
    checks={"torchreid": ("ours", "exact")},
    agreement=close,
    cases=(Case("3,368 × 15,913", (3368, 15_913), {"torchreid": Goal(wall=40)}),),
    quick=(200, 800),
    warm=lambda *_: (50, 200),
)
