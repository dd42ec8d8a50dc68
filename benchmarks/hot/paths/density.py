"""DBSCAN on sparse Jaccard distances."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from benchmarks.hot.agree import same_partition
from benchmarks.hot.path import Arrays, Case, Goal, Implementation, Path
from benchmarks.hot.world import training_features
from crosscam.cluster.distances import cosine_distances
from crosscam.cluster.jaccard import RerankParams, reranked_distances

EPS, MIN_SAMPLES = 0.6, 4  # of SpCL
JACCARD = RerankParams(k1=30, k2=6, lambda_=0.0)


def inputs(num: int) -> Arrays:
    """Return distances up to ε, with the diagonal, as the parts of a CSR matrix.

    That is what `sparse_jaccard_distances` hands over.
    """
    distances = reranked_distances(cosine_distances(training_features(num)), JACCARD)
    row, column = np.nonzero(distances <= np.float32(EPS))
    data = distances[row, column]
    found = sparse.csr_array((data, (row, column)), shape=(num, num))
    return {name: getattr(found, name) for name in ("indptr", "indices", "data")}


def matrix_of(arrays: Arrays) -> sparse.csr_array:
    """Return the sparse matrix."""
    parts = arrays["data"], arrays["indices"], arrays["indptr"]
    num = len(arrays["indptr"]) - 1
    return sparse.csr_array(parts, shape=(num, num))


def ours(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start ours."""
    from crosscam.cluster.density import density_labels

    distances = matrix_of(arrays)
    return lambda: {"labels": density_labels(distances, EPS, MIN_SAMPLES)}


def scikit_learn(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start scikit-learn on the sparse matrix."""
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import sort_graph_by_row_values

    graph = sort_graph_by_row_values(
        sparse.csr_matrix(matrix_of(arrays)), copy=True, warn_when_not_sorted=False
    )
    model = DBSCAN(eps=EPS, min_samples=MIN_SAMPLES, metric="precomputed")
    return lambda: {"labels": model.fit_predict(graph)}


def scikit_learn_dense(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start scikit-learn on a dense matrix, as SpCL and Cluster Contrast do."""
    from sklearn.cluster import DBSCAN

    graph = matrix_of(arrays)
    distances = np.ones(graph.shape, np.float32)
    row = np.repeat(np.arange(len(distances)), np.diff(graph.indptr))
    distances[row, graph.indices] = graph.data
    model = DBSCAN(eps=EPS, min_samples=MIN_SAMPLES, metric="precomputed")
    return lambda: {"labels": model.fit_predict(distances)}


PATH = Path(
    title="DBSCAN (ε 0.6, 4 images)",
    inputs=inputs,
    ours=Implementation("crosscam", ours),
    peers={
        "dense": Implementation("scikit-learn, dense", scikit_learn_dense),
        "sparse": Implementation("scikit-learn, sparse", scikit_learn),
    },
    agreement=same_partition,
    cases=(Case("12,936", (12_936,), {"dense": Goal(wall=5)}),),
    quick=(1000,),
    warm=lambda _: (200,),
)
