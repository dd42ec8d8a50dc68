"""Slow, literal transcriptions of definitions, to hold the fast code against."""

from __future__ import annotations

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
