"""The nearest gallery images of a few queries, to be looked at."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crosscam.data.pids import JUNK_PID
from crosscam.rank.distance import cosine_distances
from crosscam.rank.feature_set import FeatureSet
from crosscam.rank.score import Scores


class Shortlist(NamedTuple):
    """The nearest gallery images of one query, nearest first.

    Attributes
    ----------
    query
        Row number of the query.
    ap
        Its average precision in [0, 1].
    gallery
        int64 of shape (length,), row numbers of the gallery.
    distances
        float32 of shape (length,), cosine distances in [0, 2], ascending.
    is_match
        bool of shape (length,), whether the identity is right.
    """

    query: int
    ap: float
    gallery: NDArray[np.int64]
    distances: NDArray[np.float32]
    is_match: NDArray[np.bool_]


def shortlist(
    query: FeatureSet, gallery: FeatureSet, scores: Scores, place: int, length: int
) -> Shortlist:
    """Return the nearest images of one query under the rules of the metrics.

    Junk is left out, and so are images of the query's identity from its own camera.
    At equal distances wrong images come first, then lower gallery rows.

    Parameters
    ----------
    query, gallery
        Features of the same dimension.
    scores
        Of this ranking.
    place
        Row number of the query in `scores`.
    length
        Images wanted; fewer come back if the gallery has fewer.
    """
    row = int(scores.group[place])
    distances = cosine_distances(query.features[[row]], gallery.features)[0]
    same_pid = gallery.pids == query.pids[row]
    same_camera = gallery.camids == query.camids[row]
    ranked = np.flatnonzero((gallery.pids != JUNK_PID) & ~(same_pid & same_camera))
    order = np.lexsort((same_pid[ranked], distances[ranked]))[:length]
    nearest = ranked[order]
    return Shortlist(
        query=row,
        ap=float(scores.ap[place]),
        gallery=nearest,
        distances=distances[nearest],
        is_match=same_pid[nearest],
    )


def spread_queries(ap: NDArray[np.float64], num_queries: int) -> list[int]:
    """Choose queries evenly from the best to the worst average precision.

    Parameters
    ----------
    ap
        Shape (num_scored,), average precision of each query.
    num_queries
        Queries wanted: 1 gives the best, 3 the best, the median and the worst.

    Returns
    -------
    list of int
        Distinct places in `ap`, best first, lower places first where AP is equal; all
        of them if there are fewer than `num_queries`.
    """
    best_first = np.argsort(-ap, kind="stable")
    num_chosen = min(num_queries, len(ap))
    places = np.rint(np.linspace(0, len(ap) - 1, num_chosen)).astype(np.int64)
    chosen: list[int] = best_first[places].tolist()
    return chosen
