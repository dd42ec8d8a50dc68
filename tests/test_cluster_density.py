from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.cluster import DBSCAN

from crosscam.cluster.density import density_labels, density_pseudo_labels
from crosscam.cluster.jaccard import RerankParams
from crosscam.cluster.pseudo_labels import OUTLIER, CutParams
from crosscam.kernel import set_threads
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def stored(distances, far=1.0):
    """Return distances below `far` as a sparse matrix that also stores zeros."""
    row, column = np.nonzero(distances < far)
    entries = distances[row, column].astype(np.float32), (row, column)
    return sparse.csr_array(entries, shape=distances.shape)


def between_points(points):
    return np.abs(np.subtract.outer(points, points))


def random_distances(rng, num):
    """Return symmetric distances of few values, many 1, some 0."""
    values = rng.choice([0, 0.25, 0.5, 0.75, 1, 1, 1, 1], (num, num))
    upper = np.triu(values, 1)
    return upper + upper.T


def by_first_appearance(labels):
    names = [*dict.fromkeys(label for label in labels if label != OUTLIER)]
    return [OUTLIER if x == OUTLIER else names.index(x) for x in labels]


def test_by_hand():
    # 0 to 3 lie close, 4 near 3 alone, 5 alone, 6 to 8 close to one another.
    distances = between_points([0, 1, 2, 3, 4.5, 9, 20, 21, 22])
    labels = density_labels(stored(distances, far=10), 1.5, 3)
    assert labels.tolist() == [0, 0, 0, 0, 0, OUTLIER, 1, 1, 1]
    assert labels.dtype == np.int32


def test_the_image_itself_is_one_of_min_samples():
    distances = stored(between_points([0, 1]), far=10)
    assert density_labels(distances, 1, 2).tolist() == [0, 0]
    assert density_labels(distances, 1, 3).tolist() == [OUTLIER] * 2
    assert density_labels(distances, 0.5, 1).tolist() == [0, 1]


def test_an_image_between_clusters_goes_to_the_first_core_image():
    # 2 is close to 1 and to 3, which are core images, and to nothing else.
    low, high = [0, 0.5, 0.75, 1], [3, 3.25, 3.5, 4]
    for order in ([2, *high, *low], [2, *low, *high]):
        labels = density_labels(stored(between_points(order), far=100), 1, 4)
        assert labels.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]


def test_numbers_are_in_order_of_first_appearance():
    # Image 0 lies at the border of the cluster whose first core image is 4.
    distances = between_points([13, 1, 0, 2, 12, 11, 12.5, 1.5])
    labels = density_labels(stored(distances, far=100), 1.1, 4)
    assert labels.tolist() == [0, 1, 1, 1, 0, 0, 0, 1]


def test_zeros_that_are_stored_are_distances():
    copies = stored(np.zeros((4, 4)))
    assert copies.nnz == 16
    assert density_labels(copies, 0.0, 4).tolist() == [0] * 4
    nothing = sparse.csr_array((4, 4), dtype=np.float32)
    assert density_labels(nothing, 0.5, 2).tolist() == [OUTLIER] * 4


def test_small_clusters_become_outliers():
    distances = stored(between_points([0, 1, 10, 11, 12]), far=100)
    assert density_labels(distances, 1, 2, 3).tolist() == [OUTLIER, OUTLIER, 0, 0, 0]


@given(
    seed=seeds,
    num=st.integers(0, 30),
    eps=st.sampled_from([0.0, 0.25, 0.5, 0.6, 0.75]),
    min_samples=st.integers(1, 6),
)
def test_agrees_with_the_definition_and_scikit_learn(seed, num, eps, min_samples):
    distances = random_distances(np.random.default_rng(seed), num)
    labels = density_labels(stored(distances), eps, min_samples).tolist()
    expected = oracles.dbscan(distances.tolist(), eps, min_samples)
    assert labels == by_first_appearance(expected)
    if num:
        model = DBSCAN(eps=eps or 1e-9, min_samples=min_samples, metric="precomputed")
        assert model.fit_predict(distances).tolist() == expected
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its sorting, its setting of a diagonal
            assert model.fit_predict(stored(distances)).tolist() == expected


def unit_rows(rows):
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@given(seed=seeds, num=st.integers(1, 30), eps=st.sampled_from([0.3, 0.6]))
def test_clusters_are_those_of_the_dense_form(seed, num, eps):
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((num // 6 + 1, 6))
    features = unit_rows(centres[np.arange(num) // 6] + 0.5 * rng.normal(size=(num, 6)))
    exact = features.astype(float)
    far = np.linalg.norm(exact[:, None] - exact, axis=2).tolist()
    k1 = min(8, num - 1)
    ranks = [oracles.neighbours(far, i, k1 + 1) for i in range(num)]
    dense = oracles.jaccard_distances_of_ranks(exact.tolist(), ranks, k1, 3)
    expected = oracles.dbscan(dense, eps, 4)
    cut = CutParams("density", 1, 0.0, 1, eps, 4)
    labels = density_pseudo_labels(features, RerankParams(8, 3, 0.0), cut)
    assert labels.tolist() == by_first_appearance(expected)


def test_no_image():
    cut = CutParams("density", 1, 0.0, 1)
    none = np.empty((0, 4), np.float32)
    assert density_pseudo_labels(none, RerankParams(20, 6, 0.0), cut).shape == (0,)


def test_people_are_found_and_threads_do_not_matter():
    rng = np.random.default_rng(0)
    pids = rng.permutation(np.repeat(np.arange(30), 12))
    features = unit_rows(
        rng.normal(size=(30, 16))[pids] + 0.2 * rng.normal(size=(360, 16))
    )
    cut = CutParams("density", 1, 0.0, 1, 0.6, 4)
    set_threads(2)
    labels = density_pseudo_labels(features, RerankParams(15, 4, 0.0), cut)
    set_threads(1)
    again = density_pseudo_labels(features, RerankParams(15, 4, 0.0), cut)
    assert np.array_equal(labels, again)
    assert labels.tolist() == by_first_appearance(pids.tolist())
