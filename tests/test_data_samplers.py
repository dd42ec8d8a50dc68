from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosscam.data.samplers import camera_batches, identity_batches
from tests import oracles

seeds = st.integers(0, 2**32 - 1)


def rng(seed=0):
    return np.random.default_rng(seed)


def lists(batches):
    return [batch.tolist() for batch in batches]


# Batches of all cameras


def test_cameras_take_turns():
    # Eight rows of camera 0 and four of camera 1: each batch of three holds 2 and 1.
    camids = np.array([0, 0, 1] * 4)
    batches = camera_batches(camids, np.zeros(12, int), 3, rng())
    assert [sorted(camids[batch]) for batch in batches] == [[0, 0, 1]] * 4
    assert sorted(np.concatenate(batches).tolist()) == list(range(12))


def test_a_camera_of_one_row_has_no_fixed_batch():
    camids = np.array([0] * 11 + [1])
    passes = [camera_batches(camids, np.zeros(12), 4, rng(seed)) for seed in range(20)]
    places = {[11 in batch for batch in batches].index(True) for batches in passes}
    assert places == {0, 1, 2}


def test_outliers_are_left_out():
    camids, labels = np.array([0, 0, 0, 1, 1, 2]), np.array([0, -1, 1, 0, 1, -1])
    batches = camera_batches(camids, labels, 2, rng())
    assert sorted(np.concatenate(batches).tolist()) == [0, 2, 3, 4]
    assert [set(camids[batch]) for batch in batches] == [{0, 1}, {0, 1}]


def test_a_single_row_joins_the_batch_before():
    sizes = [len(b) for b in camera_batches(np.zeros(7), np.zeros(7), 3, rng())]
    assert sizes == [3, 4]
    sizes = [len(b) for b in camera_batches(np.zeros(8), np.zeros(8), 3, rng())]
    assert sizes == [3, 3, 2]


def test_a_single_row_alone_is_a_batch():
    assert lists(camera_batches(np.zeros(1), np.zeros(1), 3, rng())) == [[0]]


@pytest.mark.parametrize("num", [0, 3])
def test_no_row_is_labelled(num):
    assert camera_batches(np.arange(num), np.full(num, -1), 4, rng()) == []


@given(
    seed=seeds,
    counts=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    size=st.integers(2, 20),
)
def test_a_pass_over_all_cameras(seed, counts, size):
    draws = rng(seed)
    camids = draws.permutation(np.repeat(np.arange(len(counts)), counts))
    labels = draws.integers(-1, 3, len(camids))
    batches = camera_batches(camids, labels, size, draws)
    rows = np.concatenate([*batches, np.empty(0, int)]).astype(int)
    assert sorted(rows.tolist()) == np.flatnonzero(labels >= 0).tolist()
    labelled = camids[labels >= 0]
    num_cameras = len(np.unique(labelled))
    for camid in np.unique(labelled):
        share = np.mean(labelled == camid)
        for batch in batches:
            off = np.sum(camids[batch] == camid) - share * len(batch)
            assert abs(off) < 1 + share * (num_cameras - 2) + 1e-9


@given(
    seed=seeds,
    counts=st.lists(st.integers(0, 12), min_size=1, max_size=5),
    size=st.integers(2, 9),
)
def test_agrees_with_the_definition(seed, counts, size):
    draws = rng(seed)
    camids = draws.permutation(np.repeat(np.arange(len(counts)), counts))
    labels = draws.integers(-1, 3, len(camids))
    orders, offsets, same = [], [], rng(seed + 1)
    for camid in sorted(set(camids[labels >= 0].tolist())):
        own = [i for i, c in enumerate(camids) if c == camid and labels[i] >= 0]
        orders.append(same.permutation(own).tolist())
        offsets.append(same.random())
    turns = oracles.camera_turns(orders, offsets)
    expected = [turns[start : start + size] for start in range(0, len(turns), size)]
    if len(expected) > 1 and len(expected[-1]) == 1:
        expected[-2:] = [expected[-2] + expected[-1]]
    assert lists(camera_batches(camids, labels, size, rng(seed + 1))) == expected


def test_the_generator_decides():
    camids, labels = np.repeat([0, 1], 20), np.zeros(40)
    first = lists(camera_batches(camids, labels, 8, rng(1)))
    assert lists(camera_batches(camids, labels, 8, rng(1))) == first
    assert lists(camera_batches(camids, labels, 8, rng(2))) != first


# Batches of P identities with K images each


def test_two_labels_with_two_groups():
    labels = np.array([0, 1, 0, 1, 0, 1, 0, 1])
    batches = identity_batches(labels, 2, 2, rng())
    assert len(batches) == 2
    assert all(oracles.is_identity_batch(b, labels, 2, 2) for b in batches)
    assert sorted(np.concatenate(batches).tolist()) == list(range(8))


def test_a_remainder_is_left_out_this_time():
    labels = np.array([0, 0, 0, 1, 1])
    seen = [np.concatenate(identity_batches(labels, 2, 2, rng(s))) for s in range(20)]
    assert {len(set(rows.tolist())) for rows in seen} == {4}
    assert {row for rows in seen for row in rows.tolist()} == set(range(5))


def test_a_label_of_few_rows_repeats_some():
    (batch,) = identity_batches(np.array([0, 0, 0, 1, 1, 1, 1]), 2, 4, rng())
    groups = sorted(sorted(group.tolist()) for group in batch.reshape(2, 4))
    assert sorted(set(groups[0])) == [0, 1, 2]
    assert groups[1] == [3, 4, 5, 6]
    labels = np.array([0, 0, 1, 1, 1])
    firsts = [identity_batches(labels, 2, 3, rng(s))[0] for s in range(40)]
    groups = [b[:3] if labels[b[0]] == 0 else b[3:] for b in firsts]
    assert {tuple(group) for group in groups} == {
        (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1)
    }  # fmt: skip


def test_fewer_labels_than_p():
    (batch,) = identity_batches(np.array([4, 4, 9, 9]), 16, 2, rng())
    assert sorted(batch.tolist()) == [0, 1, 2, 3]


@pytest.mark.parametrize("labels", [[], [-1, -1, -1], [0, 0, 0, 0, -1]])
def test_fewer_than_two_labels_give_no_batch(labels):
    assert identity_batches(np.array(labels, np.int64), 4, 2, rng()) == []


def test_nearly_all_rows_come_in_an_epoch():
    # 80 clusters of 1 to 27 images, as the synthetic training set has them: drawing
    # labels evenly until fewer than P are left would stop after half of the rows.
    labels = np.repeat(np.arange(80), np.arange(80) // 3 + 1)
    seen = np.concatenate(identity_batches(labels, 16, 4, rng()))
    assert len(set(seen.tolist())) > 0.85 * len(labels)


@given(
    seed=seeds,
    num_pids=st.integers(2, 6),
    num_instances=st.integers(2, 4),
    num_labels=st.integers(1, 9),
)
def test_every_batch_is_p_by_k(seed, num_pids, num_instances, num_labels):
    draws = rng(seed)
    labels = draws.integers(-1, num_labels, 60)
    batches = identity_batches(labels, num_pids, num_instances, draws)
    known, counts = np.unique(labels[labels >= 0], return_counts=True)
    for batch in batches:
        size = len(batch) // num_instances
        assert 2 <= size <= num_pids
        assert oracles.is_identity_batch(batch, labels, size, num_instances)
    # No group comes twice, and in the end at most one label has one left.
    used = [int(labels[b[i]]) for b in batches for i in range(0, len(b), num_instances)]
    groups = dict(zip(known, np.maximum(counts // num_instances, 1), strict=True))
    left = {label: groups[label] - used.count(label) for label in groups}
    assert min(left.values()) >= 0
    assert sum(number > 0 for number in left.values()) <= 1
    full = [
        row
        for b in batches
        for row in b
        if counts[known == labels[row]] >= num_instances
    ]
    assert len(full) == len(set(full))


def test_the_generator_decides_on_identities():
    labels = np.repeat(np.arange(8), 6)
    first = lists(identity_batches(labels, 4, 2, rng(1)))
    assert lists(identity_batches(labels, 4, 2, rng(1))) == first
    assert lists(identity_batches(labels, 4, 2, rng(2))) != first
