from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.cluster.pseudo_labels import OUTLIER
from crosscam.cluster.quality import (
    Quality,
    camera_quality,
    global_quality,
    quality_history,
)

seeds = st.integers(0, 2**32 - 1)


def adjusted_rand_index(labels, truth):
    """Count pairs, as Hubert and Arabie do."""
    pairs = list(itertools.combinations(range(len(labels)), 2))
    together = sum(labels[i] == labels[j] for i, j in pairs)
    same = sum(truth[i] == truth[j] for i, j in pairs)
    both = sum(labels[i] == labels[j] and truth[i] == truth[j] for i, j in pairs)
    expected = together * same / len(pairs)
    return (both - expected) / ((together + same) / 2 - expected)


def normalised_mutual_information(labels, truth):
    num = len(labels)

    def probabilities(values):
        return [values.count(value) / num for value in set(values)]

    def entropy(values):
        return -sum(p * math.log(p) for p in probabilities(values))

    joint = entropy(list(zip(labels, truth, strict=True)))
    mutual = entropy(labels) + entropy(truth) - joint
    return mutual / ((entropy(labels) + entropy(truth)) / 2)


def test_worked_example():
    # Clusters {1, 1, 2}, {2, 2} and {3}; two outliers.
    labels = np.array([0, 0, 0, 1, 1, 2, OUTLIER, OUTLIER])
    pids = np.array([1, 1, 2, 2, 2, 3, 1, 3])
    quality = global_quality(labels, pids)
    assert quality.num_clusters == 3
    assert quality.outliers == 2 / 8
    assert quality.largest == 3 / 6
    assert quality.purity == (2 + 2 + 1) / 6
    # 4 pairs together, 4 pairs of one identity, 2 of them both, of 15: expected 16/15.
    assert quality.ari == pytest.approx((2 - 16 / 15) / (4 - 16 / 15))


@given(seed=seeds)
def test_agrees_with_the_definitions(seed):
    rng = np.random.default_rng(seed)
    labels, pids = rng.integers(-1, 4, 30), rng.integers(1, 6, 30)
    quality = global_quality(labels, pids)
    clustered = labels != OUTLIER
    kept = labels[clustered].tolist(), pids[clustered].tolist()
    assert quality.ari == pytest.approx(adjusted_rand_index(*kept))
    assert quality.nmi == pytest.approx(normalised_mutual_information(*kept))


@given(seed=seeds)
def test_names_of_clusters_and_order_of_images_do_not_matter(seed):
    rng = np.random.default_rng(seed)
    labels, pids = rng.integers(-1, 5, 40), rng.integers(1, 6, 40)
    renamed = np.where(labels == OUTLIER, OUTLIER, 9 - labels)
    order = rng.permutation(40)
    before, after = (
        global_quality(labels, pids),
        global_quality(renamed[order], pids[order]),
    )
    assert vars(after) == pytest.approx(vars(before))


def test_the_truth_is_perfect():
    pids = np.repeat([4, 7, 9], 5)
    assert global_quality(pids, pids) == Quality(1.0, 1.0, 1.0, 3, 0.0, 1 / 3)


def test_many_single_images_make_no_warning():
    labels, pids = np.arange(40), np.repeat(np.arange(20), 2)
    assert global_quality(labels, pids).purity == 1


def test_nothing_clustered():
    assert global_quality(np.full(4, OUTLIER), np.arange(4)) == Quality(
        0.0, 0.0, 0.0, 0, 1.0, 0.0
    )
    empty = np.empty(0, int)
    assert global_quality(empty, empty).num_clusters == 0
    assert camera_quality(empty, empty, empty).num_clusters == 0


def test_cameras_are_weighted_by_their_clustered_images():
    # Camera 0: perfect, 4 images. Camera 1: one cluster of 2 identities, 2 images and
    # an outlier. Camera 2: an outlier. Labels 0 mean something else in each camera.
    labels = np.array([0, 0, 1, 1, 0, 0, OUTLIER, OUTLIER])
    pids = np.array([1, 1, 2, 2, 1, 2, 1, 1])
    camids = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    quality = camera_quality(labels, pids, camids)
    assert quality.num_clusters == 3
    assert quality.outliers == 2 / 8
    assert quality.purity == pytest.approx((4 * 1 + 2 * 0.5) / 6)
    assert quality.largest == pytest.approx((4 * 0.5 + 2 * 1) / 6)
    assert quality.ari == pytest.approx(4 / 6)


@given(seed=seeds)
def test_one_camera_is_the_whole(seed):
    rng = np.random.default_rng(seed)
    labels, pids = rng.integers(-1, 5, 40), rng.integers(1, 6, 40)
    one = camera_quality(labels, pids, np.zeros(40, int))
    assert vars(one) == pytest.approx(vars(global_quality(labels, pids)))


def test_history_is_in_the_order_of_the_run():
    pids, camids = np.array([1, 1, 2, 2]), np.array([0, 1, 0, 1])
    right, wrong = [0, 0, 1, 1], [0, 1, 0, 1]
    records = quality_history(
        intra=np.array([right, right]),
        inter=np.array([wrong, right]),
        between=np.array([right]),
        pids=pids,
        camids=camids,
    )
    steps = [(r["step"], r["phase"], r["round"], r["purity"]) for r in records]
    assert steps == [
        (1, "intra", 1, 1.0),
        (2, "intra", 2, 1.0),
        (3, "inter", 1, 0.5),
        (4, "intra", 2, 1.0),
        (5, "inter", 2, 1.0),
    ]
    assert records[0].keys() == {
        "step", "phase", "round", *Quality.__dataclass_fields__
    }  # fmt: skip


def test_history_without_phases_between():
    labels, pids = np.array([[0, 0]]), np.array([1, 1])
    records = quality_history(labels, labels, None, pids, pids)
    assert [record["phase"] for record in records] == ["intra", "inter"]


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"must have one length, got \[3, 2\]"):
        global_quality(np.zeros(3, int), np.zeros(2, int))
    with pytest.raises(ValueError, match=r"must have one length, got \[2, 2, 3\]"):
        camera_quality(np.zeros(2, int), np.zeros(2, int), np.zeros(3, int))
