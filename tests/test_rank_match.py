from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.kernel import set_threads
from crosscam.rank import match as under_test
from crosscam.rank.distance import cosine_distances
from crosscam.rank.feature_set import FeatureSet, RankingError
from crosscam.rank.kernels import BLOCK
from crosscam.rank.match import match_distmat, match_features
from tests.oracles import hits_of_query, matches_of_query

seeds = st.integers(0, 2**32 - 1)


def one_query(distances, gallery_pids, gallery_camids, pid=1, camid=0):
    return match_distmat(
        np.array([distances], np.float32),
        np.array([pid]),
        np.array([camid]),
        np.array(gallery_pids),
        np.array(gallery_camids),
    )


def random_case(seed):
    """Make small integer distances (many ties), junk and distractors."""
    rng = np.random.default_rng(seed)
    num_query, num_gallery = rng.integers(1, 8), rng.integers(1, 40)
    distmat = rng.integers(0, rng.integers(1, 50), (num_query, num_gallery))
    return (
        distmat.astype(np.float32),
        rng.integers(1, 5, num_query),
        rng.integers(0, 4, num_query),
        rng.integers(-1, 5, num_gallery),
        rng.integers(0, 4, num_gallery),
    )


def as_sets(matches):
    return sorted(zip(*(column.tolist() for column in matches), strict=True))


def test_worked_example():
    # Query: pid 1 in camera 0.   nearest                                  farthest
    matches = one_query(
        distances=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        gallery_pids=[2, 1, -1, 1, 0, 1],
        gallery_camids=[1, 1, 1, 0, 2, 2],
    )
    # Right: the second (after one wrong image) and the last (after two: a distractor
    # counts). The third is junk; the fourth is from the query's own camera.
    assert matches.query.tolist() == [0, 0]
    assert matches.camid.tolist() == [1, 2]
    assert matches.wrong.tolist() == [1, 2]
    assert matches.wrong_in_camera.tolist() == [1, 1]


def test_a_match_comes_after_all_wrong_images_at_its_distance():
    matches = one_query([0.5] * 4, [1, 2, 3, 1], [1, 1, 2, 2])
    assert matches.wrong.tolist() == [2, 2]
    assert matches.wrong_in_camera.tolist() == [1, 1]


def test_constant_features_are_ranked_last():
    features = np.full((5, 4), 0.5, np.float32)
    query = FeatureSet(features[:1], np.array([1]), np.array([0]))
    gallery = FeatureSet(features, np.array([1, 2, 3, 4, 1]), np.array([1, 1, 1, 1, 2]))
    assert match_features(query, gallery, 1).wrong.tolist() == [3, 3]


def test_a_query_without_a_match_has_no_row():
    matches = match_distmat(
        np.zeros((3, 2), np.float32),
        np.array([1, 9, 1]),
        np.array([0, 0, 0]),
        np.array([1, 2]),
        np.array([1, 1]),
    )
    assert matches.query.tolist() == [0, 2]


def test_leaves_the_distances_as_they_were():
    distmat = np.array([[3, 1, 2]], np.float32)
    one = np.array([1])
    match_distmat(distmat, one, one, np.array([1, 2, 3]), np.array([0, 0, 0]))
    assert distmat.tolist() == [[3, 1, 2]]


@given(seed=seeds)
def test_agrees_with_a_literal_ranking(seed):
    distmat, query_pids, query_camids, gallery_pids, gallery_camids = random_case(seed)
    matches = match_distmat(
        distmat, query_pids, query_camids, gallery_pids, gallery_camids
    )
    for row, distances in enumerate(distmat):
        hits = hits_of_query(
            distances, query_pids[row], query_camids[row], gallery_pids, gallery_camids
        )
        ranks = np.flatnonzero(hits)  # from 0
        wrong = np.sort(matches.wrong[matches.query == row])
        assert wrong.tolist() == (ranks - np.arange(len(ranks))).tolist()


def literal(distmat, query_pids, query_camids, gallery_pids, gallery_camids):
    """Return rows as `Matches` has them."""
    return [
        (row, *match)
        for row, distances in enumerate(distmat)
        for match in matches_of_query(
            distances, query_pids[row], query_camids[row], gallery_pids, gallery_camids
        )
    ]


def as_rows(matches):
    return list(zip(*(column.tolist() for column in matches), strict=True))


@given(seed=seeds)
def test_every_column_agrees_with_literal_counts(seed):
    case = random_case(seed)
    assert as_rows(match_distmat(*case)) == literal(*case)


@pytest.mark.parametrize("num_gallery", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_gallery_of_some_blocks(num_gallery):
    rng = np.random.default_rng(num_gallery)
    case = (
        rng.integers(0, 900, (3, num_gallery)).astype(np.float32),
        np.array([1, 2, 3]),
        np.array([0, 7, 900]),
        rng.integers(-1, 40, num_gallery),
        rng.choice([0, 7, 900], num_gallery),  # cameras need not follow one another
    )
    assert as_rows(match_distmat(*case)) == literal(*case)


@pytest.mark.parametrize(("num_query", "num_gallery"), [(0, 0), (0, 3), (3, 0), (2, 1)])
def test_nothing_to_match(num_query, num_gallery):
    matches = match_distmat(
        np.zeros((num_query, num_gallery), np.float32),
        np.ones(num_query, int),
        np.zeros(num_query, int),
        np.full(num_gallery, 2),
        np.zeros(num_gallery, int),
    )
    assert [column.shape for column in matches] == [(0,)] * 4


def test_cameras_and_identities_of_small_types():
    case = random_case(0)
    small = (case[0], *(column.astype(np.int16) for column in case[1:]))
    matches = match_distmat(*small)
    assert as_rows(matches) == as_rows(match_distmat(*case))
    assert {column.dtype for column in matches} == {np.dtype(np.int64)}


@given(seed=seeds)
def test_counts_within_a_camera_are_those_of_that_camera_alone(seed):
    case = random_case(seed)
    matches = match_distmat(*case)
    for camid in range(4):
        alone = match_distmat(
            case[0][:, case[4] == camid],
            case[1],
            case[2],
            case[3][case[4] == camid],
            case[4][case[4] == camid],
        )
        mine = matches.camid == camid
        assert np.array_equal(matches.query[mine], alone.query)
        assert np.array_equal(matches.wrong_in_camera[mine], alone.wrong)


@given(seed=seeds)
def test_order_of_the_gallery_does_not_matter(seed):
    distmat, *query, pids, camids = random_case(seed)
    order = np.random.default_rng(seed).permutation(len(pids))
    shuffled = match_distmat(distmat[:, order], *query, pids[order], camids[order])
    assert as_sets(shuffled) == as_sets(match_distmat(distmat, *query, pids, camids))


@given(seed=seeds)
def test_only_the_order_of_distances_matters(seed):
    distmat, *rest = random_case(seed)
    mapped = match_distmat(np.exp(distmat / 10) - 3, *rest)
    assert as_sets(mapped) == as_sets(match_distmat(distmat, *rest))


@given(seed=seeds, pid=st.sampled_from([-1, 1]))
def test_junk_and_same_camera_images_change_nothing(seed, pid):
    rng = np.random.default_rng(seed)
    distmat, _, _, pids, camids = random_case(seed)
    query = np.ones(len(distmat), int), np.zeros(len(distmat), int)
    more = np.append(distmat, rng.random((len(distmat), 1), np.float32), axis=1)
    before = match_distmat(distmat, *query, pids, camids)
    after = match_distmat(more, *query, np.append(pids, pid), np.append(camids, 0))
    assert as_sets(after) == as_sets(before)


def near_duplicates(rng, dim, spread):
    """Return a query and a gallery of four identities, much alike or the same."""
    centres = rng.standard_normal((3, dim))
    rows = centres[rng.integers(0, 3, 80)] + spread * rng.standard_normal((80, dim))
    rows[50:60] = rows[20:30]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows.astype(np.float32)
    rows[60:70] = -rows[:10]
    pids, camids = rng.integers(1, 5, 80), rng.integers(0, 3, 80)
    pids[20::17] = -1
    return (
        FeatureSet(rows[:15], pids[:15], camids[:15]),
        FeatureSet(rows[15:], pids[15:], camids[15:]),
    )


@pytest.fixture(params=[1, 2])
def threads(request):
    before = numba.get_num_threads()
    set_threads(request.param)
    yield
    numba.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("dim", [1, 2, 768, 2048])
@pytest.mark.parametrize("spread", [0, 1e-7, 1e-6, 1e-4, 1e-2, 1])
def test_agrees_with_all_distances(dim, spread):
    """Float32 products do not decide, where images are alike, and must not."""
    query, gallery = near_duplicates(np.random.default_rng(0), dim, spread)
    distmat = cosine_distances(query.features, gallery.features)
    of = query.pids, query.camids, gallery.pids, gallery.camids
    expected = literal(distmat, *of)
    assert as_rows(match_distmat(distmat, *of)) == expected
    for chunk_size in (1, 2, 7, 15, 99):
        assert as_rows(match_features(query, gallery, chunk_size)) == expected


def test_products_alone_would_count_wrong(monkeypatch):
    query, gallery = near_duplicates(np.random.default_rng(0), 768, 1e-6)
    whole = as_rows(match_features(query, gallery, 15))
    monkeypatch.setattr(under_test, "product_error", lambda dim: 0.0)
    assert as_rows(match_features(query, gallery, 15)) != whole


def test_features_of_another_type():
    query, gallery = near_duplicates(np.random.default_rng(0), 65, 1)
    whole = as_rows(match_features(query, gallery, 15))
    wide = [
        FeatureSet(images.features.astype(np.float64), images.pids, images.camids)
        for images in (query, gallery)
    ]
    assert as_rows(match_features(*wide, 15)) == whole


@given(seed=seeds, chunk_size=st.integers(1, 12))
def test_chunk_size_does_not_matter(seed, chunk_size):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((60, 33))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    features = features.astype(np.float32)
    features[20:40] = features[40:]  # exact ties
    pids, camids = rng.integers(1, 4, 60), rng.integers(0, 3, 60)
    query = FeatureSet(features[:10], pids[:10], camids[:10])
    gallery = FeatureSet(features[10:], pids[10:], camids[10:])
    whole = match_features(query, gallery, 10)
    chunked = match_features(query, gallery, chunk_size)
    assert all(map(np.array_equal, whole, chunked))


@pytest.fixture
def image():
    def make(pid, camid):
        features = np.ones((1, 1), np.float32)
        return FeatureSet(features, np.array([pid]), np.array([camid]))

    return make


def test_no_query_has_a_match(image):
    with pytest.raises(RankingError, match=r"none of 1 queries .* 0 have their ident"):
        match_features(image(1, 0), image(2, 1), 8)
    with pytest.raises(RankingError, match=r"1 have .* only from their own camera"):
        match_features(image(1, 0), image(1, 0), 8)


@pytest.mark.parametrize("pid", [0, -1])
def test_a_query_must_be_somebody(image, pid):
    with pytest.raises(RankingError, match=rf"above 0, got {pid} in row 0"):
        match_features(image(pid, 0), image(1, 1), 8)


def test_chunks_must_hold_something(image):
    with pytest.raises(RankingError, match="chunk_size: must be at least 1, got 0"):
        match_features(image(1, 0), image(1, 1), 0)
