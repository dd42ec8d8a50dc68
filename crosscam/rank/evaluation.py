"""All that a run reports of its ranking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from crosscam.cluster.jaccard import RerankParams
from crosscam.data.pids import JUNK_PID
from crosscam.params import Count, Seed
from crosscam.rank.camera_pair import camera_pairs
from crosscam.rank.feature_set import FeatureSet
from crosscam.rank.match import Product, match_distmat, match_features
from crosscam.rank.rerank import ROWS, reranked_distmat
from crosscam.rank.score import Scores, score
from crosscam.rank.shortlist import Shortlist, shortlist, spread_queries
from crosscam.rank.summary import cmc_curve, summarise
from crosscam.room import check_memory

SHORTLIST_LENGTH = 10  # more do not fit side by side at a size that can be read
# Multiplications that are worth a GPU: two cores take 4 s for them, and torch and a GPU
# about as long to start. Market-1501 with 768-d features has a fifth of that.
GPU_FROM = 2 * 10**11


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
    rerank
        Neighbourhoods of k-reciprocal re-ranking, or None for no re-ranked metrics.
    """

    seed: Seed
    max_rank: Count
    bootstrap: Count
    ranked_queries: Count
    chunk_size: Count
    rerank: RerankParams | None = None


class Evaluation(NamedTuple):
    """The report of a ranking.

    Attributes
    ----------
    metrics
        Those of `summarise`, and ``num_queries`` over which they are taken,
        ``queries_without_match`` that were skipped, and ``gallery_junk``, ignored;
        with `EvaluateParams.rerank` those of `summarise` again, as ``mAP_reranked``.
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
        The same for any `chunk_size`, any number of threads, and whether a GPU
        multiplied or not: it does where there is one, and enough to do.
        `crosscam.rank.match` states what counts as a match; it raises `RankingError`
        if no query has one.
    """
    product = _product(query.features, gallery.features, params.chunk_size)
    matches = match_features(query, gallery, params.chunk_size, product)
    scores = score(matches.query, matches.wrong)
    curve = cmc_curve(scores.first, params.max_rank).tolist()
    metrics = {
        **summarise(scores, params.bootstrap, params.seed),
        "num_queries": len(scores.group),
        "queries_without_match": len(query.pids) - len(scores.group),
        "gallery_junk": int(np.sum(gallery.pids == JUNK_PID)),
    }
    if params.rerank:
        again = summarise(
            _reranked(query, gallery, params.rerank), params.bootstrap, params.seed
        )
        metrics |= {f"{name}_reranked": value for name, value in again.items()}
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


def _product(
    query: NDArray[np.float32], gallery: NDArray[np.float32], chunk_size: int
) -> Product | None:
    if len(query) * gallery.size < GPU_FROM:
        return None
    from crosscam.rank import on_device  # torch: two seconds that most do without

    return on_device.gpu_product(query, gallery, chunk_size)


def _reranked(query: FeatureSet, gallery: FeatureSet, params: RerankParams) -> Scores:
    """Score the ranking by re-ranked distances.

    Junk is left out before, as in published code, which does not load it: it would be
    among the neighbours.
    """
    valid = gallery.pids != JUNK_PID
    num_query, num_gallery = len(query.pids), int(valid.sum())
    # A block of rows of all distances, and two copies of the features.
    each = ROWS + 2 * query.features.shape[1]
    check_memory(
        4 * (num_query * num_gallery + each * (num_query + num_gallery)),
        f"distances of {num_query} queries to {num_gallery} images are all held "
        "to be re-ranked: set evaluate.rerank to null",
    )
    # On more threads, products could differ in the last digits, and so the neighbours.
    with threadpool_limits(1, "blas"):
        distmat = reranked_distmat(query.features, gallery.features[valid], params)
    own, others = (query.pids, query.camids), (gallery.pids, gallery.camids)
    matches = match_distmat(distmat, *own, *(values[valid] for values in others))
    return score(matches.query, matches.wrong)
