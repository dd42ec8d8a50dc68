"""How well one camera finds people in another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from crosscam.rank.match import Matches
from crosscam.rank.score import score


def camera_pairs(
    matches: Matches, query_camids: NDArray[np.integer[Any]]
) -> list[dict[str, float]]:
    """Score every pair of cameras as if the gallery camera were the whole gallery.

    Parameters
    ----------
    matches
        True matches of the queries in the whole gallery.
    query_camids
        Shape (num_query,), from 0.

    Returns
    -------
    list of dict
        In order of ``query_camera`` and ``gallery_camera``, which count from 1 as file
        names do; ``mAP`` and ``rank1`` in [0, 1] are means over the ``num_queries``
        queries that have a true match there. A camera with itself has no entry, since
        matches in the query's own camera do not count; nor has a pair without any true
        match.
    """
    num_cameras = 1 + max([*query_camids.tolist(), *matches.camid.tolist()])
    scores = score(matches.query * num_cameras + matches.camid, matches.wrong_in_camera)
    query, gallery_camid = np.divmod(scores.group, num_cameras)
    pair = query_camids[query].astype(np.int64) * num_cameras + gallery_camid
    num_queries = np.bincount(pair)
    sum_ap = np.bincount(pair, weights=scores.ap)
    num_hits = np.bincount(pair, weights=scores.first == 1)
    return [
        {
            "query_camera": 1 + index // num_cameras,
            "gallery_camera": 1 + index % num_cameras,
            "mAP": float(sum_ap[index] / num_queries[index]),
            "rank1": float(num_hits[index] / num_queries[index]),
            "num_queries": int(num_queries[index]),
        }
        for index in np.flatnonzero(num_queries).tolist()
    ]
