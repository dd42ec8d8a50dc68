"""Rows of the training table, in batches."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Rows = NDArray[np.int64]


def camera_batches(
    camids: NDArray[np.integer], labels: NDArray[np.integer], size: int, rng: Generator
) -> list[Rows]:
    """Return one pass over all labelled rows, each batch holding all cameras.

    Every labelled row comes once, and every batch holds each camera in proportion to
    its number of labelled rows: shuffled within its camera, row i of n gets the
    position (i + u) / n, u uniform per camera, and the positions are sorted. With a
    share p of the labelled rows of C cameras, a camera is off its part of a batch by
    less than 1 + p (C - 2) rows. Published IICS stops an epoch at the smallest camera
    instead.

    Parameters
    ----------
    camids, labels
        (num_images,); rows with a negative label are left out.
    size
        Rows in a batch; the last batch may hold fewer. A single row (batch
        normalisation needs two) joins the batch before, if there is one.
    rng
        The only source of randomness.

    Returns
    -------
    list of ndarray
        Row numbers; empty if no row is labelled.
    """
    rows, positions = [], []
    for camid in np.unique(camids[labels >= 0]):
        own = np.flatnonzero((camids == camid) & (labels >= 0))
        rows.append(rng.permutation(own))
        positions.append((np.arange(len(own)) + rng.random()) / len(own))
    if not rows:
        return []
    order = np.argsort(np.concatenate(positions), kind="stable")
    return _cut(np.concatenate(rows)[order].astype(np.int64), size)


def _cut(rows: Rows, size: int) -> list[Rows]:
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        last = batches.pop()
        batches[-1] = np.concatenate([batches[-1], last])
    return batches


def identity_batches(
    labels: NDArray[np.integer],
    num_pids_per_batch: int,
    num_instances: int,
    rng: Generator,
) -> list[Rows]:
    """Return batches of P pseudo identities with K images each.

    The rows of each label are shuffled and cut into groups of K (a remainder is left
    out this time; a label with fewer than K rows repeats some). Each batch then draws P
    of the labels that still have a group, with chances in proportion to their number
    of groups, so that few labels are left towards the end; the last batches have fewer
    than P labels, but two at least.

    Parameters
    ----------
    labels
        (num_images,); rows with a negative label are left out.
    num_pids_per_batch, num_instances
        P and K.
    rng
        The only source of randomness.

    Returns
    -------
    list of ndarray
        Row numbers, (P · K,) each or fewer, the K rows of a label side by side; empty
        if fewer than two labels have rows.

    References
    ----------
    Hermans, Beyer, Leibe: In defense of the triplet loss for person
    re-identification, 2017, section 2. The groups are those of IICS's program, which
    draws labels evenly and stops when fewer than P are left: with 80 clusters of 1,111
    images and P = 16, after 576 of them. A label with fewer than K rows gives all of
    them and some again; there K are drawn with replacement.
    """
    groups = {
        label: _groups(np.flatnonzero(labels == label), num_instances, rng)
        for label in np.unique(labels[labels >= 0])
    }
    batches = []
    while len(groups) >= 2:
        labels_left = np.array(list(groups))
        chances = np.array([len(left) for left in groups.values()], np.float64)
        num_pids = min(num_pids_per_batch, len(groups))
        drawn = rng.choice(
            labels_left, num_pids, replace=False, p=chances / chances.sum()
        )
        batches.append(np.concatenate([groups[label].pop() for label in drawn]))
        groups = {label: left for label, left in groups.items() if left}
    return batches


def _groups(rows: NDArray[np.intp], size: int, rng: Generator) -> list[Rows]:
    shuffled = rng.permutation(rows).astype(np.int64)
    if len(rows) < size:
        extra = rng.choice(shuffled, size - len(rows), replace=True)
        return [np.concatenate([shuffled, extra])]
    last = len(rows) - len(rows) % size
    return list(shuffled[:last].reshape(-1, size))
