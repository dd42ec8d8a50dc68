from __future__ import annotations

import tracemalloc

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.cluster import AgglomerativeClustering

from crosscam.cluster import linkage as module
from crosscam.cluster.linkage import average_clusters
from crosscam.kernel import set_threads
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def clusters_of(distances, **cut):
    """Return clusters as lists of images, leaving the distances as they are."""
    labels = average_clusters(distances.copy(), **cut)
    assert labels.dtype == np.int64
    return [np.flatnonzero(labels == name).tolist() for name in np.unique(labels)]


def symmetric(upper):
    upper = np.triu(np.asarray(upper, np.float32), 1)
    return upper + upper.T


def random_distances(rng, num):
    return symmetric(rng.random((num, num)))


def people(rng, num, num_people):
    """Return small distances within random people, larger ones between them."""
    who = rng.integers(0, num_people, num)
    far = rng.random((num, num))
    return symmetric(np.where(who[:, None] == who, 0.5 * far, 0.3 + 0.7 * far))


def plateau(rng, num):
    """Return one distance for all pairs of different people, and smaller ones."""
    most = np.float32(0.5 + 0.5 * rng.random())
    who = rng.integers(0, 1 + num // 10, num)
    near = most * rng.random((num, num))
    return symmetric(np.where(who[:, None] == who, near, most))


def hub(rng, num):
    """Return distances of which one image's to all others are the least."""
    distances = 1 + random_distances(rng, num)
    distances[0] = distances[:, 0] = 0.5 + 0.4 * rng.random(num)
    return distances


def growing_gaps(rng, num):
    """Return distances on a line, on which the last is nearest to each."""
    points = np.arange(num) ** 2 + 0.1 * rng.random(num)
    return np.abs(np.subtract.outer(points, points)).astype(np.float32)


SHAPES = [random_distances, lambda rng, num: people(rng, num, 9), hub, growing_gaps]


def scipy_merges(distances):
    return linkage(squareform(distances.astype(np.float64), checks=False), "average")


def scipy_clusters(merges, value, criterion):
    labels = fcluster(merges, value, criterion)
    groups = [np.flatnonzero(labels == name).tolist() for name in np.unique(labels)]
    return sorted(groups)


# By hand: a and b merge at 1, d and e at 2. Of c the nearest is d, but its mean to a, b
# is (4 + 6) / 2 = 5, to d, e (3 + 8) / 2 = 5.5. What is left is at (4 · 9 + 3 + 8) / 6
# = 7.83: a mean over images. Over the two parts it would be (9 + 5.5) / 2 = 7.25.
FIVE = symmetric([
    [0, 1, 4, 9, 9],
    [0, 0, 6, 9, 9],
    [0, 0, 0, 3, 8],
    [0, 0, 0, 0, 2],
    [0, 0, 0, 0, 0],
])
FIVE_INTO = {
    5: [[0], [1], [2], [3], [4]],
    4: [[0, 1], [2], [3], [4]],
    3: [[0, 1], [2], [3, 4]],
    2: [[0, 1, 2], [3, 4]],
    1: [[0, 1, 2, 3, 4]],
}


@pytest.mark.parametrize("num_clusters", FIVE_INTO)
def test_five_images_into_a_number_of_clusters(num_clusters):
    assert clusters_of(FIVE, num_clusters=num_clusters) == FIVE_INTO[num_clusters]


@pytest.mark.parametrize(
    ("limit", "num_clusters"),
    [
        (0, 5),
        (1, 5),
        (1.01, 4),
        (2, 4),
        (2.01, 3),
        (5, 3),
        (5.01, 2),
        (7.83, 2),
        (7.84, 1),
    ],
)
def test_clusters_at_the_limit_stay_apart(limit, num_clusters):
    assert clusters_of(FIVE, limit=limit) == FIVE_INTO[num_clusters]


def test_a_limit_is_not_rounded():
    pair = symmetric([[0, 0.1], [0, 0]])
    assert clusters_of(pair, limit=float(pair[0, 1])) == [[0], [1]]
    assert clusters_of(pair, limit=float(pair[0, 1]) + 1e-12) == [[0, 1]]


def test_numbers_go_by_first_appearance_and_the_diagonal_does_not_count():
    distances = FIVE[np.ix_([3, 0, 2, 4, 1], [3, 0, 2, 4, 1])]
    np.fill_diagonal(distances, 0.5)
    labels = average_clusters(distances, num_clusters=3)
    assert labels.tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("cut", [{"num_clusters": 1}, {"limit": 9.0}])
@pytest.mark.parametrize("num", [1, 2, 3])
def test_few_images(num, cut):
    assert clusters_of(np.zeros((num, num), np.float32), **cut) == [list(range(num))]


@pytest.mark.parametrize("cut", [{"num_clusters": 0}, {"limit": 1.0}])
def test_no_images(cut):
    assert clusters_of(np.empty((0, 0), np.float32), **cut) == []


@given(seed=seeds, num=st.integers(2, 14), data=st.data())
def test_agrees_with_the_definition(seed, num, data):
    distances = random_distances(np.random.default_rng(seed), num)
    count = data.draw(st.integers(1, num))
    expected = oracles.average_linkage(distances.tolist(), count)
    assert clusters_of(distances, num_clusters=count) == expected
    limit = data.draw(st.floats(0, 1))
    expected = oracles.average_linkage(distances.tolist(), threshold=limit)
    assert clusters_of(distances, limit=limit) == expected


@pytest.mark.parametrize("few", [1, module.FEW, 10**6])  # chain, both, rounds
@pytest.mark.parametrize("make", SHAPES)
def test_agrees_with_scipy(make, few, monkeypatch):
    monkeypatch.setattr(module, "FEW", few)
    distances = make(np.random.default_rng(few), 700)  # more than one block of columns
    merges = scipy_merges(distances)
    found = module._lowest_merges(distances.copy(), 699, np.inf)
    assert np.allclose(np.sort(found.height), merges[:, 2], rtol=2e-6)
    for count in (1, 2, 9, 300, 699, 700):
        expected = scipy_clusters(merges, count, "maxclust")
        assert clusters_of(distances, num_clusters=count) == expected
    for number in (5, 350, 690):
        limit = merges[number : number + 2, 2].mean()
        expected = scipy_clusters(merges, limit, "distance")
        assert clusters_of(distances, limit=limit) == expected


@given(seed=seeds, num=st.integers(20, 90), shape=st.sampled_from(SHAPES))
def test_agrees_with_scikit_learn(seed, num, shape):
    rng = np.random.default_rng(seed)
    distances, count = shape(rng, num), int(rng.integers(1, num + 1))
    model = AgglomerativeClustering(count, metric="precomputed", linkage="average")
    labels = model.fit_predict(distances)
    groups = [np.flatnonzero(labels == name).tolist() for name in range(count)]
    assert clusters_of(distances, num_clusters=count) == sorted(groups)


@given(seed=seeds, num=st.integers(2, 120), few=st.sampled_from([1, 32, 10**6]))
def test_means_of_equal_distances_are_equal(seed, num, few):
    """Below a height that most pairs of images have, the clusters are determined."""
    distances = plateau(np.random.default_rng(seed), num)
    limit = float(distances.max())
    expected = scipy_clusters(scipy_merges(distances), limit - 1e-6, "distance")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FEW", few)
        assert clusters_of(distances, limit=limit) == expected


@given(seed=seeds, num=st.integers(2, 60), levels=st.integers(1, 4), data=st.data())
def test_ties_give_as_many_clusters_as_asked_for(seed, num, levels, data):
    rng = np.random.default_rng(seed)
    distances = symmetric(rng.integers(0, levels, (num, num)) / 3)
    count = data.draw(st.integers(1, num))
    assert len(clusters_of(distances, num_clusters=count)) == count
    found = module._lowest_merges(distances.copy(), num, np.inf)
    assert len(found.height) == num - 1
    assert np.all(found.into < found.gone)
    assert len(set(found.gone.tolist())) == num - 1


def copies(rng, num):
    distances = random_distances(rng, num // 4)
    return np.kron(distances, np.ones((4, 4), np.float32))


@given(seed=seeds)
def test_copies_are_together(seed):
    distances = copies(np.random.default_rng(seed), 40)
    assert clusters_of(distances, limit=1e-9) == np.arange(40).reshape(10, 4).tolist()
    merges = scipy_merges(distances)
    expected = scipy_clusters(merges, 3, "maxclust")
    assert clusters_of(distances, num_clusters=3) == expected


def equal(rng, num):
    return symmetric(np.ones((num, num)))


@pytest.mark.parametrize("num", [255, 256, 257, 1000])
@pytest.mark.parametrize("make", [*SHAPES, plateau, equal, copies])
def test_work_grows_with_the_square(make, num, monkeypatch):
    """Rounds look at the square of the clusters that are left, a chain likewise."""
    looked_at, rounds = [], module.merge_pairs

    def counted(*given):
        looked_at.append(given[6] ** 2)
        rounds(*given)

    monkeypatch.setattr(module, "merge_pairs", counted)
    distances = make(np.random.default_rng(num), num)
    average_clusters(distances, num_clusters=1)
    assert sum(looked_at) < 4 * num**2
    if make is equal:
        assert len(looked_at) == np.ceil(np.log2(num))


def test_nothing_beside_the_matrix():
    distances = people(np.random.default_rng(0), 1000, 100)
    average_clusters(distances[:50, :50].copy(), num_clusters=1)
    tracemalloc.start()
    average_clusters(distances, num_clusters=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.1 * distances.nbytes


@pytest.mark.parametrize("make", [*SHAPES, plateau])
def test_threads_do_not_matter(make):
    distances = make(np.random.default_rng(0), 300)
    before, results = numba.get_num_threads(), []
    try:
        for num_threads in (1, 2):
            set_threads(num_threads)
            found = module._lowest_merges(distances.copy(), 299, np.inf)
            results.append([part.tolist() for part in found])
    finally:
        numba.set_num_threads(before)
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "distances",
    [
        np.zeros((2, 2)),
        np.zeros((2, 3), np.float32),
        np.zeros(2, np.float32),
        np.zeros((2, 4), np.float32)[:, ::2],
        np.broadcast_to(np.float32(0), (2, 2)),
    ],
)
def test_another_matrix_is_refused(distances):
    with pytest.raises(
        ValueError, match="distances: must be a square, writable float32"
    ):
        average_clusters(distances, limit=1.0)


@pytest.mark.parametrize("cut", [{}, {"num_clusters": 1, "limit": 1.0}])
def test_one_cut_must_be_given(cut):
    with pytest.raises(ValueError, match="num_clusters, limit: one of the two must be"):
        average_clusters(FIVE.copy(), **cut)


@pytest.mark.parametrize("num_clusters", [-1, 0, 6])
def test_numbers_of_clusters_that_there_cannot_be(num_clusters):
    with pytest.raises(ValueError, match=f"must be 1 to 5, got {num_clusters}"):
        average_clusters(FIVE.copy(), num_clusters=num_clusters)


def test_negative_distances_are_refused():
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        average_clusters(symmetric([[0, -1], [0, 0]]), num_clusters=1)


def test_a_chain_without_an_end_is_noticed():
    circle = np.array([[0, 1, 2], [2, 0, 1], [1, 2, 0]], np.float32)
    with pytest.raises(ValueError, match="distances: must be symmetric"):
        average_clusters(circle, num_clusters=1)
