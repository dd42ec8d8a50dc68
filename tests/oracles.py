"""Slow, literal transcriptions of definitions, to hold the fast code against."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

# Ranking


def hits_of_query(
    distances: Sequence[float],
    pid: int,
    camid: int,
    gallery_pids: Sequence[int],
    gallery_camids: Sequence[int],
) -> list[bool]:
    """Return whether each valid gallery image is right, nearest first."""
    valid = []
    for distance, other_pid, other_camid in zip(
        distances, gallery_pids, gallery_camids, strict=True
    ):
        is_junk = other_pid == -1
        is_same_view = other_pid == pid and other_camid == camid
        if not is_junk and not is_same_view:
            valid.append((distance, other_pid == pid))  # False sorts before True
    return [is_match for _, is_match in sorted(valid)]


def average_precision(hits: Sequence[bool]) -> float:
    """Return the mean of the precisions at the ranks of the true matches."""
    precisions = [
        sum(hits[:rank]) / rank for rank in range(1, len(hits) + 1) if hits[rank - 1]
    ]
    return sum(precisions) / sum(hits)


def average_precision_trapezoid(hits: Sequence[bool]) -> float:
    """Return the area under the precision-recall polygon, as the toolbox draws it."""
    area, recall_before, precision_before, found = 0.0, 0.0, 1.0, 0
    for rank, is_match in enumerate(hits, start=1):
        found += is_match
        recall, precision = found / sum(hits), found / rank
        area += (recall - recall_before) * (precision_before + precision) / 2
        recall_before, precision_before = recall, precision
    return area


def inverse_negative_penalty(hits: Sequence[bool]) -> float:
    """Return the true matches per image looked at until the last of them is found."""
    last = max(rank for rank, is_match in enumerate(hits, start=1) if is_match)
    return sum(hits) / last


def first_match(hits: Sequence[bool]) -> int:
    """Return the rank of the first true match."""
    return min(rank for rank, is_match in enumerate(hits, start=1) if is_match)


# Re-ranked distances


def neighbours(distances: Sequence[Sequence[float]], i: int, count: int) -> list[int]:
    """Return image i, then the others by distance and index, `count` in all."""
    others = sorted((d, j) for j, d in enumerate(distances[i]) if j != i)
    return [i, *(j for _, j in others)][:count]


def reciprocal_set(distances: Sequence[Sequence[float]], i: int, k: int) -> set[int]:
    """Return R(i, k): the k neighbours of i, and i, that have i among theirs."""
    return {
        j
        for j in neighbours(distances, i, k + 1)
        if i in neighbours(distances, j, k + 1)
    }


def expanded_set(distances: Sequence[Sequence[float]], i: int, k1: int) -> set[int]:
    """Return R*(i, k1): R(i, k1) and each R(j, k1/2) that it has over 2/3 of."""
    members = reciprocal_set(distances, i, k1)
    expanded = set(members)
    for j in members:
        candidates = reciprocal_set(distances, j, round(k1 / 2))
        if 3 * len(members & candidates) > 2 * len(candidates):
            expanded |= candidates
    return expanded


def reranked_distances(
    distances: Sequence[Sequence[float]], k1: int, k2: int, lambda_: float
) -> list[list[float]]:
    """Return (1 - λ) · Jaccard + λ · d / max d, the mean of both directions."""
    num = len(distances)
    k1 = min(k1, num - 1)
    scaled = [[d / (max(row) or 1) for d in row] for row in distances]
    vectors = []
    for i in range(num):
        members = expanded_set(distances, i, k1)
        weights = [math.exp(-scaled[i][j]) * (j in members) for j in range(num)]
        vectors.append([weight / sum(weights) for weight in weights])
    expanded = []
    for i in range(num):
        near = [vectors[j] for j in neighbours(distances, i, k2)]
        expanded.append([sum(column) / len(near) for column in zip(*near, strict=True)])
    one_way = [
        [
            (1 - lambda_) * (1 - jaccard_similarity(expanded[i], expanded[j]))
            + lambda_ * scaled[i][j]
            for j in range(num)
        ]
        for i in range(num)
    ]
    return [
        [0 if i == j else (one_way[i][j] + one_way[j][i]) / 2 for j in range(num)]
        for i in range(num)
    ]


def jaccard_similarity(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Σ min / Σ max."""
    pairs = list(zip(first, second, strict=True))
    return sum(min(pair) for pair in pairs) / sum(max(pair) for pair in pairs)


# Clustering


def distance_at(distances: Sequence[Sequence[float]], quantile: float) -> float:
    """Return the positive distance of a pair that has this rank, rounded down."""
    num = len(distances)
    pairs = [distances[i][j] for i in range(num) for j in range(i + 1, num)]
    positive = sorted(d for d in pairs if d > 0)
    return positive[math.floor(quantile * (len(positive) - 1))]


def average_linkage(
    distances: Sequence[Sequence[float]],
    num_clusters: int = 1,
    threshold: float = math.inf,
) -> list[list[int]]:
    """Merge the clusters of least mean distance, down to a number or up to a distance.

    Clusters and their images are in order of index.
    """
    clusters = [[i] for i in range(len(distances))]

    def mean(pair: tuple[list[int], list[int]]) -> float:
        first, second = pair
        return sum(distances[i][j] for i in first for j in second) / (
            len(first) * len(second)
        )

    while len(clusters) > num_clusters:
        nearest = min(itertools.combinations(clusters, 2), key=mean)
        if mean(nearest) >= threshold:
            break
        rest = [cluster for cluster in clusters if cluster not in nearest]
        clusters = sorted([*rest, sorted(nearest[0] + nearest[1])])
    return clusters


# Training


def batch_hard_triplet(
    features: Sequence[Sequence[float]], labels: Sequence[int], margin: float
) -> float:
    """Return the mean hinge over the hardest positive and negative of each image."""
    total = 0.0
    for feature, label in zip(features, labels, strict=True):
        distances = [math.dist(feature, other) for other in features]
        of = list(zip(labels, distances, strict=True))
        positive = max(d for other, d in of if other == label)
        negative = min((d for other, d in of if other != label), default=math.inf)
        total += max(0, margin + positive - negative)
    return total / len(features)


def is_identity_batch(
    batch: Sequence[int], labels: Sequence[int], num_pids: int, num_instances: int
) -> bool:
    """Return whether rows are P labels side by side with K rows each.

    No row comes twice, unless its label has fewer than K: then all of them come.
    """
    starts = range(0, len(batch), num_instances)
    groups = [list(batch[start : start + num_instances]) for start in starts]
    names = []
    for group in groups:
        (label,) = {labels[row] for row in group}
        available = {row for row, other in enumerate(labels) if other == label}
        if len(set(group)) != min(num_instances, len(available)):
            return False
        names.append(label)
    is_full = len(batch) == num_pids * num_instances
    return is_full and len(set(names)) == num_pids and min(names) >= 0
