"""Average precision, inverse negative penalty and first match of every query.

AP has two definitions in this field, 0.5 to 1.0 points of mAP apart on Market-1501:
the step sum (torchreid, fast-reid, scikit-learn, recent papers) and the trapezoid of
the Market-1501 toolbox (Zheng et al., Scalable Person Re-identification, ICCV 2015,
``compute_AP.m``). INP is from Ye et al., Deep Learning for Person Re-identification:
A Survey and Outlook, TPAMI 2022.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Scores(NamedTuple):
    """Scores of the groups that have a true match, a row each, in order of `group`.

    Attributes
    ----------
    group
        int64, which group (as a rule, the row number of the query).
    ap, ap_trapezoid, inp
        float64 in (0, 1]: 1 if all true matches come first.
    first
        int64, rank of the first true match, from 1.
    """

    group: NDArray[np.int64]
    ap: NDArray[np.float64]
    ap_trapezoid: NDArray[np.float64]
    inp: NDArray[np.float64]
    first: NDArray[np.int64]


def score(group: NDArray[np.int64], wrong: NDArray[np.int64]) -> Scores:
    """Score rankings that are given by the wrong images before each true match.

    With R true matches in a group, the k-th of them stands at rank r_k = k + (wrong
    images before it), where the precision is P_k = k / r_k, and just before it
    O_k = (k - 1) / (r_k - 1), or 1 where r_k = 1. Then::

        ap           = 1/R sum_k P_k
        ap_trapezoid = 1/R sum_k (O_k + P_k) / 2
        inp          = R / r_R
        first        = r_1

    Sums are float64. INP may exceed AP: true matches at ranks 10 and 11 have an AP of
    0.141 and an INP of 0.182.

    Parameters
    ----------
    group
        Shape (num_matches,), a number per ranking, in any order.
    wrong
        Shape (num_matches,), wrong images ranked before each true match.

    Returns
    -------
    Scores
        One row per distinct `group`; empty if there are no matches.
    """
    order = np.lexsort((wrong, group))
    found, start, num_matches = np.unique(
        group[order], return_index=True, return_counts=True
    )
    k = 1 + np.arange(len(order)) - np.repeat(start, num_matches)
    rank = k + wrong[order]
    precision = k / rank
    before = np.where(rank == 1, 1.0, (k - 1) / np.maximum(rank - 1, 1))
    return Scores(
        group=found,
        ap=np.add.reduceat(precision, start) / num_matches,
        ap_trapezoid=np.add.reduceat((before + precision) / 2, start) / num_matches,
        inp=num_matches / rank[start + num_matches - 1],
        first=rank[start],
    )
