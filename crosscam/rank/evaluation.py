"""All that a run reports of its ranking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from crosscam.data.pids import JUNK_PID
from crosscam.params import Count, Seed
from crosscam.rank.camera_pair import camera_pairs
from crosscam.rank.feature_set import FeatureSet
from crosscam.rank.match import match_features
from crosscam.rank.score import score
from crosscam.rank.shortlist import Shortlist, shortlist, spread_queries
from crosscam.rank.summary import cmc_curve, summarise

SHORTLIST_LENGTH = 10  # more do not fit side by side at a size that can be read


@dataclass(frozen=True)
class EvaluateParams:
    """What to report.

    Parameters
    ----------
    seed
        Of the bootstrap (and of t-SNE): no result of training depends on it.
    max_rank
        Length of the CMC curve.
    bootstrap
        Resamples of the intervals.
    ranked_queries
        Queries shown with their nearest gallery images, from the best to the worst.
    chunk_size
        Queries whose distances are held at once, 4 bytes per gallery image.
    """

    seed: Seed
    max_rank: Count
    bootstrap: Count
    ranked_queries: Count
    chunk_size: Count


class Evaluation(NamedTuple):
    """The report of a ranking.

    Attributes
    ----------
    metrics
        Those of `summarise`, and ``num_queries`` over which they are taken,
        ``queries_without_match`` that were skipped, and ``gallery_junk``, ignored.
    cmc
        Records of ``rank`` (from 1) and ``cmc``.
    camera_pairs
        See `crosscam.rank.camera_pair.camera_pairs`.
    shortlists
        Of queries spread evenly from the best to the worst AP.
    """

    metrics: dict[str, float]
    cmc: list[dict[str, float]]
    camera_pairs: list[dict[str, float]]
    shortlists: list[Shortlist]


def evaluate(
    query: FeatureSet, gallery: FeatureSet, params: EvaluateParams
) -> Evaluation:
    """Rank the gallery for every query and report how well that went.

    Parameters
    ----------
    query, gallery
        Features of the same dimension.
    params
        What to report.

    Returns
    -------
    Evaluation
        The same for any `chunk_size` and any number of threads. `crosscam.rank.match`
        states what counts as a match; it raises `RankingError` if no query has one.
    """
    matches = match_features(query, gallery, params.chunk_size)
    scores = score(matches.query, matches.wrong)
    curve = cmc_curve(scores.first, params.max_rank).tolist()
    metrics = {
        **summarise(scores, params.bootstrap, params.seed),
        "num_queries": len(scores.group),
        "queries_without_match": len(query.pids) - len(scores.group),
        "gallery_junk": int(np.sum(gallery.pids == JUNK_PID)),
    }
    shown = spread_queries(scores.ap, params.ranked_queries)
    return Evaluation(
        metrics=metrics,
        cmc=[{"rank": rank, "cmc": cmc} for rank, cmc in enumerate(curve, start=1)],
        camera_pairs=camera_pairs(matches, query.camids),
        shortlists=[
            shortlist(query, gallery, scores, place, SHORTLIST_LENGTH)
            for place in shown
        ],
    )
