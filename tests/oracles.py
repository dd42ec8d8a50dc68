"""Slow, literal transcriptions of definitions, to hold the fast code against."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

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


def grid_distance(x: Sequence[float], y: Sequence[float]) -> float:
    """Return 1 - x · y, exact but for its rounding to multiples of 2^-23."""
    product = math.fsum(a * b for a, b in zip(x, y, strict=True))
    return round(max(0, 1 - product) * 2**23) / 2**23


def matches_of_query(
    distances: Sequence[float],
    pid: int,
    camid: int,
    gallery_pids: Sequence[int],
    gallery_camids: Sequence[int],
) -> list[tuple[int, int, int]]:
    """Return camera, wrong images up to it and those of its camera, of each match.

    In order of the cameras, then of the gallery.
    """
    images = list(zip(distances, gallery_pids, gallery_camids, strict=True))
    wrong = [(d, c) for d, p, c in images if p not in {-1, pid}]
    matches = [(c, d) for d, p, c in images if p == pid != -1 and c != camid]
    return [
        (
            camera,
            sum(d <= distance for d, _ in wrong),
            sum(d <= distance and c == camera for d, c in wrong),
        )
        for camera, distance in sorted(matches, key=lambda match: match[0])
    ]


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
    """Return the mean of both directions of the published form, 0 to the image itself.

    λ = 0 is the Jaccard distance alone, which is symmetric.
    """
    one_way = published_distances(distances, k1, k2, lambda_)
    num = len(distances)
    return [
        [0 if i == j else (one_way[i][j] + one_way[j][i]) / 2 for j in range(num)]
        for i in range(num)
    ]


def published_distances(
    distances: Sequence[Sequence[float]], k1: int, k2: int, lambda_: float
) -> list[list[float]]:
    """Return (1 - λ) · Jaccard + λ · d / max d, each row by its own maximum.

    Not symmetric: clustering, which reads one triangle, depends on the images' order.
    """
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
    return [
        [
            (1 - lambda_) * (1 - jaccard_similarity(expanded[i], expanded[j]))
            + lambda_ * scaled[i][j]
            for j in range(num)
        ]
        for i in range(num)
    ]


def jaccard_similarity(first: Sequence[float], second: Sequence[float]) -> float:
    """Return Σ min / Σ max."""
    pairs = list(zip(first, second, strict=True))
    return sum(min(pair) for pair in pairs) / sum(max(pair) for pair in pairs)


def jaccard_distances_of_ranks(
    features: Sequence[Sequence[float]],
    ranks: Sequence[Sequence[int]],
    k1: int,
    k2: int,
) -> list[list[float]]:
    """Return the dense Jaccard distances of SpCL and Cluster Contrast.

    `ranks` are each image's nearest, itself first: k1 + 1 of them, or k1 as published.
    """

    def reciprocal(i: int, k: int) -> set[int]:
        return {j for j in ranks[i][: k + 1] if i in ranks[j][: k + 1]}

    vectors = []
    for i, feature in enumerate(features):
        members = reciprocal(i, k1)
        expanded = set(members)
        for j in members:
            candidates = reciprocal(j, round(k1 / 2))
            if len(members & candidates) * 3 > len(candidates) * 2:
                expanded |= candidates
        weights = [
            math.exp(-(math.dist(feature, other) ** 2)) * (j in expanded)
            for j, other in enumerate(features)
        ]
        vectors.append([weight / sum(weights) for weight in weights])
    means = [
        [mean(column) for column in zip(*(vectors[j] for j in row[:k2]), strict=True)]
        for row in ranks
    ]
    return [[1 - jaccard_similarity(v, w) for w in means] for v in means]


# Clustering


def distance_at(distances: Sequence[Sequence[float]], quantile: float) -> float:
    """Return the positive distance of a pair that has this rank, rounded down."""
    num = len(distances)
    pairs = [distances[i][j] for i in range(num) for j in range(i + 1, num)]
    positive = sorted(d for d in pairs if d > 0)
    return positive[math.floor(quantile * (len(positive) - 1))]


def dbscan(
    distances: Sequence[Sequence[float]], eps: float, min_samples: int
) -> list[int]:
    """Return clusters in the order in which they are found, -1 for noise.

    From each core image that is in no cluster yet one grows over all that its core
    images reach; an image that two clusters reach stays with the first.
    """
    close = [{j for j, d in enumerate(row) if d <= eps} for row in distances]
    labels = [-1] * len(distances)
    number = 0
    for i, row in enumerate(close):
        if labels[i] != -1 or len(row) < min_samples:
            continue
        labels[i], reached = number, [i]
        while reached:
            j = reached.pop()
            if len(close[j]) >= min_samples:
                new = [k for k in close[j] if labels[k] == -1]
                for k in new:
                    labels[k] = number
                reached += new
        number += 1
    return labels


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


# Normalisation and camera styles. Maps are [image][channel][position]; the numbers may
# be float64 tensors, for autograd to differentiate the definition.


def mean(values: Sequence[Any]) -> Any:
    """Return the arithmetic mean."""
    return sum(values) / len(values)


def variance(values: Sequence[Any], divisor: int = 0) -> Any:
    """Return the mean squared deviation, or their sum over another divisor."""
    middle = mean(values)
    return sum((v - middle) ** 2 for v in values) / (divisor or len(values))


def batch_moments(maps: Sequence[Any], channel: int) -> tuple[Any, Any]:
    """Return AIBN's mean and variance of a batch, instance variances unbiased."""
    means = [mean(image[channel]) for image in maps]
    positions = len(maps[0][channel])
    variances = [variance(image[channel], max(1, positions - 1)) for image in maps]
    return mean(means), mean(variances) + variance(means)


def aibn(
    maps: Sequence[Any],
    mix: Any,
    weight: Sequence[Any],
    bias: Sequence[Any],
    eps: float,
    running: Sequence[tuple[Any, Any]] | None = None,
) -> list[list[list[Any]]]:
    """Return maps normalised by instance and batch; `running`: (mean, var) by channel.

    The published program takes the batch's variance as E[v + m²] - E[m]², equal in
    exact numbers, negative in float32 where the mean is large.
    """
    share = min(max(mix, 0), 1)
    result = []
    for image in maps:
        normed = []
        for channel, values in enumerate(image):
            far, wide = running[channel] if running else batch_moments(maps, channel)
            own = variance(values, max(1, len(values) - 1))
            middle = (1 - share) * mean(values) + share * far
            spread = (1 - share) * own + share * wide
            normed.append([
                weight[channel] * (v - middle) / (spread + eps) ** 0.5 + bias[channel]
                for v in values
            ])
        result.append(normed)
    return result


def camera_moments(
    maps: Sequence[Any], camids: Sequence[int], camid: int, channel: int
) -> tuple[float, float]:
    """Return mean and variance over all positions of all images of a camera."""
    values = [
        value
        for image, own in zip(maps, camids, strict=True)
        if own == camid
        for value in image[channel]
    ]
    return mean(values), variance(values)


def restyled(
    maps: Sequence[Any],
    sources: Sequence[int],
    targets: Sequence[int | None],
    moments: Sequence[Sequence[tuple[float, float]]],
    arriving: Sequence[Sequence[Sequence[tuple[float, float]]]],
    eps: float,
) -> list[list[list[float]]]:
    """Return maps in the style of their targets.

    `moments` are by camera and channel, those of the `arriving` maps by source camera,
    target camera and channel.
    """
    result = []
    for image, source, target in zip(maps, sources, targets, strict=True):
        styled = []
        for channel, values in enumerate(image):
            if target is None:
                styled.append(list(values))
                continue
            old_mean, old_var = arriving[source][target][channel]
            new_mean, new_var = moments[target][channel]
            styled.append([
                (v - old_mean) / math.sqrt(old_var + eps) * math.sqrt(new_var + eps)
                + new_mean
                for v in values
            ])
        result.append(styled)
    return result


def published_arriving(
    moments: Sequence[Sequence[tuple[float, float]]],
) -> list[list[Sequence[tuple[float, float]]]]:
    """Return what the published program takes for the moments of what arrives.

    Those of the image's own camera, whatever style the layers before have given it.
    """
    return [[own for _ in moments] for own in moments]


def all_camera_moments(
    maps: Sequence[Any], camids: Sequence[int], camid: int
) -> list[tuple[float, float]]:
    """Return a camera's mean and variance by channel."""
    return [camera_moments(maps, camids, camid, c) for c in range(len(maps[0]))]


def style_moments(
    parts: Sequence[Callable[[Any], Any]],
    images: Any,
    sources: Sequence[int],
    num_cameras: int,
    eps: float,
) -> tuple[list[Any], list[Any]]:
    """Return the moments of all cameras by layer, and of what arrives there.

    `parts` compute the maps before each layer from those after the one before. Moments
    are by layer, camera and channel; arriving ones by layer, source camera, target
    camera and channel.
    """
    cameras = range(num_cameras)
    moments, arriving = [], []
    plain, styled = images, [images for _ in cameras]  # by target
    for part in parts:
        plain, styled = part(plain), [part(maps) for maps in styled]
        own = [all_camera_moments(plain, sources, c) for c in cameras]
        found = [
            [all_camera_moments(styled[t], sources, s) for t in cameras]
            for s in cameras
        ]
        styled = [
            restyled(styled[t], sources, [t] * len(plain), own, found, eps)
            for t in cameras
        ]
        moments.append(own)
        arriving.append(found)
    return moments, arriving


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


def softmax(logits: Sequence[float]) -> list[float]:
    """Return probabilities."""
    largest = max(logits)
    powers = [math.exp(value - largest) for value in logits]
    return [power / sum(powers) for power in powers]


def soft_cross_entropy(
    logits: Sequence[Sequence[float]], teacher: Sequence[Sequence[float]]
) -> float:
    """Return the mean of -Σ p log q, p of the teacher."""
    total = 0.0
    for row, taught in zip(logits, teacher, strict=True):
        pairs = zip(softmax(taught), softmax(row), strict=True)
        total -= sum(p * math.log(q) for p, q in pairs)
    return total / len(logits)


def soft_triplet(
    features: Sequence[Sequence[float]],
    teacher: Sequence[Sequence[float]],
    labels: Sequence[int],
) -> float:
    """Return the cross entropy of choosing positive over negative, as the teacher does.

    Positive and negative are the hardest in `features`, and the teacher's distances
    are those to the same images.
    """
    losses = []
    for i, label in enumerate(labels):
        far = [math.dist(features[i], other) for other in features]
        taught = [math.dist(teacher[i], other) for other in teacher]
        positives = [j for j, other in enumerate(labels) if other == label]
        negatives = [j for j, other in enumerate(labels) if other != label]
        if negatives:
            pair = [max(positives, key=far.__getitem__)]
            pair.append(min(negatives, key=far.__getitem__))
            logits = [[far[j] for j in pair]]
            losses.append(soft_cross_entropy(logits, [[taught[j] for j in pair]]))
    return mean(losses) if losses else 0.0


def camera_turns(
    orders: Sequence[Sequence[int]], offsets: Sequence[float]
) -> list[int]:
    """Return rows by (i + u) / n: i their place in their camera's order of n rows."""
    turns = []
    for number, (order, offset) in enumerate(zip(orders, offsets, strict=True)):
        for i, row in enumerate(order):
            turns.append(((i + offset) / len(order), number, i, row))
    return [row for _, _, _, row in sorted(turns)]


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
