"""Average linkage of re-ranked distances, down to 800 clusters, in place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.hot.agree import same_partition
from benchmarks.hot.path import Arrays, Case, Goal, Implementation, Path
from benchmarks.hot.paths import reranking
from crosscam.cluster.jaccard import reranked_distances

MOST = 800


def inputs(num: int) -> Arrays:
    """Return the re-ranked distances of a training set."""
    distances = reranking.inputs(num)["distances"]
    return {"distances": reranked_distances(distances, reranking.PARAMS)}


def num_clusters(distances: NDArray[np.float32]) -> int:
    """Return how many clusters are asked for."""
    return min(MOST, len(distances) // 10)


def ours(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start ours."""
    from crosscam.cluster.linkage import average_clusters

    distances = arrays["distances"]
    count = num_clusters(distances)
    return lambda: {"labels": average_clusters(distances, num_clusters=count)}


def fastcluster(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start fastcluster, which wants the upper triangle in float64."""
    import fastcluster as peer
    from scipy.cluster.hierarchy import fcluster
    from scipy.spatial.distance import squareform

    distances = arrays["distances"]

    def run() -> Arrays:
        tree = peer.average(squareform(distances, checks=False))
        return {"labels": fcluster(tree, num_clusters(distances), "maxclust")}

    return run


def scikit_learn(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start scikit-learn."""
    from sklearn.cluster import AgglomerativeClustering

    distances = arrays["distances"]
    model = AgglomerativeClustering(
        num_clusters(distances), metric="precomputed", linkage="average"
    )
    return lambda: {"labels": model.fit_predict(distances)}


PATH = Path(
    title="average linkage, 800 clusters",
    inputs=inputs,
    ours=Implementation("crosscam", ours),
    peers={
        "fastcluster": Implementation("fastcluster", fastcluster),
        "scikit-learn": Implementation("scikit-learn", scikit_learn, cases=("12,936",)),
    },
    agreement=same_partition,
    cases=(
        Case(
            "12,936",
            (12_936,),
            {
                "fastcluster": Goal(wall=3, growth=100),
                "scikit-learn": Goal(wall=10, growth=100),
            },
        ),
        Case("32,621", (32_621,), {"fastcluster": Goal(seconds=5, peak=5000)}),
    ),
    quick=(1000,),
    warm=lambda _: (200,),
)
