"""The ranking done again, for what the files of a run do not hold: who was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from numpy.typing import NDArray

from crosscam.data.packed import PackedImages
from crosscam.draw.ranked import RankedList, Tile, draw_ranked
from crosscam.rank.bootstrap import Interval
from crosscam.rank.evaluation import SHORTLIST_LENGTH, EvaluateParams
from crosscam.rank.feature_set import feature_set
from crosscam.rank.match import match_features
from crosscam.rank.score import score
from crosscam.rank.shortlist import Shortlist, shortlist
from crosscam.report.material import RankedPicture
from crosscam.report.queries import chosen_queries, metric_intervals

NUM_QUERIES = 4  # in each of the three groups


class Ranking(NamedTuple):
    """What a report shows of the ranking.

    Attributes
    ----------
    intervals
        Of each metric, by its name.
    ranked
        Ranked lists, by ``best``, ``median`` and ``worst``.
    """

    intervals: dict[str, Interval]
    ranked: dict[str, RankedPicture]


def ranking(
    features: Mapping[str, NDArray[Any]],
    tables: Mapping[str, pd.DataFrame],
    packed: PackedImages,
    params: EvaluateParams,
) -> Ranking:
    """Rank the gallery for every query and draw the best, median and worst.

    Parameters
    ----------
    features
        ``query`` and ``gallery``, a row per image, of length 1.
    tables
        ``query`` and ``gallery``, with the columns offset, size, camid and pid.
    packed
        The images.
    params
        Those of the stage evaluate: the intervals of mAP and rank-1 are its own.

    Returns
    -------
    Ranking
        A group without any query has no picture.
    """
    query = feature_set(features["query"], tables["query"])
    gallery = feature_set(features["gallery"], tables["gallery"])
    matches = match_features(query, gallery, params.chunk_size)
    scores = score(matches.query, matches.wrong)
    chosen = chosen_queries(scores.ap, query.pids[scores.group], NUM_QUERIES)
    ranked = {}
    for name, places in chosen._asdict().items():
        lists = [
            shortlist(query, gallery, scores, place, SHORTLIST_LENGTH)
            for place in places
        ]
        if lists:
            drawn = draw_ranked([_with_images(each, tables, packed) for each in lists])
            ranked[name] = RankedPicture(drawn, [each.ap for each in lists])
    intervals = metric_intervals(scores, params.bootstrap, params.seed)
    return Ranking(intervals, ranked)


def _with_images(
    found: Shortlist, tables: Mapping[str, pd.DataFrame], packed: PackedImages
) -> RankedList:
    nearest = tables["gallery"].iloc[found.gallery]
    rows = pd.concat([tables["query"].iloc[[found.query]], nearest])
    blobs = map(packed.blob, rows["offset"], rows["size"])
    tiles = list(map(Tile, blobs, rows["camid"]))
    return RankedList(tiles, found.ap, found.distances, found.is_match)
