"""For every true match of every query: how many wrong images stand before it.

This is all that CMC, AP and INP need, and it takes no full sort of the gallery: wrong
images are sorted as bare numbers, camera by camera, and each true match is looked up
among them. Counts within one camera come for free and give the camera pair table.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crosscam.data.pids import DISTRACTOR_PID, JUNK_PID
from crosscam.rank.distance import cosine_distances
from crosscam.rank.feature_set import FeatureSet, RankingError

Integers = NDArray[np.integer[Any]]


class Matches(NamedTuple):
    """True matches, one row each, in order of the queries; all int64 (num_matches,).

    Attributes
    ----------
    query
        Row number of the query.
    camid
        Camera of the gallery image.
    wrong
        Wrong gallery images at its distance or nearer: ties count against it.
    wrong_in_camera
        Those of them that its own camera took.
    """

    query: NDArray[np.int64]
    camid: NDArray[np.int64]
    wrong: NDArray[np.int64]
    wrong_in_camera: NDArray[np.int64]


def match_features(query: FeatureSet, gallery: FeatureSet, chunk_size: int) -> Matches:
    """Match queries to the gallery by the cosine distance of their features.

    Parameters
    ----------
    query, gallery
        Features of the same dimension.
    chunk_size
        Queries whose distances are held at once. It changes memory, not the result.

    Returns
    -------
    Matches
        See `match_distmat`.

    Raises
    ------
    RankingError
        If `chunk_size` is below 1, a query is no identity, or no query has a match.
    """
    if chunk_size < 1:
        raise RankingError(f"chunk_size: must be at least 1, got {chunk_size}")
    _check_identities(query.pids)
    parts = [Matches(*np.empty((4, 0), np.int64))]
    for start in range(0, len(query.pids), chunk_size):
        rows = slice(start, start + chunk_size)
        part = match_distmat(
            cosine_distances(query.features[rows], gallery.features),
            query.pids[rows],
            query.camids[rows],
            gallery.pids,
            gallery.camids,
        )
        parts.append(part._replace(query=part.query + start))
    matches = Matches(*map(np.concatenate, zip(*parts, strict=True)))
    if not len(matches.query):
        raise RankingError(_no_match(query.pids, gallery.pids))
    return matches


def match_distmat(
    distmat: NDArray[np.float32],
    query_pids: Integers,
    query_camids: Integers,
    gallery_pids: Integers,
    gallery_camids: Integers,
) -> Matches:
    """Match queries to the gallery by given distances.

    Gallery images of the query's identity are true matches if another camera took
    them and are ignored if the query's own did; junk is ignored; all else is wrong.

    Parameters
    ----------
    distmat
        ndarray of shape (num_query, num_gallery), any finite numbers; only their
        order within a row counts.
    query_pids, query_camids
        Shape (num_query,).
    gallery_pids, gallery_camids
        Shape (num_gallery,).

    Returns
    -------
    Matches
        Rows in order of the queries; none for a query without a true match. In time
        O(num_gallery log num_gallery) a query.
    """
    order = np.argsort(gallery_camids, kind="stable")
    order = order[gallery_pids[order] != JUNK_PID]
    pids, camids = gallery_pids[order], gallery_camids[order]
    cameras, first = np.unique(camids, return_index=True)
    bounds = [*first.tolist(), len(order)]
    camera_of = np.searchsorted(cameras, camids)

    queries, matches, wrong, wrong_in_camera = [], [], [], []
    for row, distances in enumerate(distmat[:, order]):
        same = np.flatnonzero(pids == query_pids[row])
        match = same[camids[same] != query_camids[row]]
        targets = distances[match]
        distances[same] = np.inf  # neither a match nor an ignored image is wrong
        counts = np.empty((len(cameras), len(match)), np.int64)
        for camera in range(len(cameras)):
            segment = distances[bounds[camera] : bounds[camera + 1]]
            segment.sort()
            counts[camera] = np.searchsorted(segment, targets, side="right")
        queries.append(np.full(len(match), row))
        matches.append(match)
        wrong.append(counts.sum(axis=0))
        wrong_in_camera.append(counts[camera_of[match], np.arange(len(match))])
    return Matches(
        query=_joined(queries),
        camid=camids[_joined(matches)].astype(np.int64),
        wrong=_joined(wrong),
        wrong_in_camera=_joined(wrong_in_camera),
    )


def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, np.int64), *parts])


def _check_identities(query_pids: Integers) -> None:
    nobody = query_pids <= DISTRACTOR_PID
    if nobody.any():
        raise RankingError(
            f"query pids: must be above 0, got {query_pids[nobody][0]} in row "
            f"{np.argmax(nobody)}: -1 is junk and 0 a distractor, both gallery only"
        )


def _no_match(query_pids: Integers, gallery_pids: Integers) -> str:
    in_gallery = np.isin(query_pids, gallery_pids).sum()
    return (
        f"none of {len(query_pids)} queries has a true match, so there is nothing to "
        f"rank: {in_gallery} have their identity in the gallery, but only from their "
        "own camera, which does not count: add gallery images of the query identities "
        "from other cameras"
    )
