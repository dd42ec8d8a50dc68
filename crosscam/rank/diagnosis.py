"""Pseudo labels of all rounds beside the truth, as far as there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from crosscam.cluster.quality import quality_history
from crosscam.data.pids import is_person

Labels = Mapping[str, NDArray[Any]]


def pseudo_label_quality(
    intra: Labels, inter: Labels, truth: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return the quality of the pseudo labels of all rounds.

    Images of no identity (junk and distractors, which people's own training images may
    all be) are left out.

    Parameters
    ----------
    intra
        ``labels`` of shape (num_rounds, num_train), numbered within each camera.
    inter
        ``labels`` of shape (num_rounds, num_train), and ``intra_labels`` of the phases
        in between, if there were any.
    truth
        Columns pid and camid, a row per training image.

    Returns
    -------
    list of dict
        See `crosscam.cluster.quality.quality_history`. Without any identity nothing is
        measured: ``outliers`` are 1 and all others 0.
    """
    pids = truth["pid"].to_numpy()
    known = is_person(pids)
    between = inter.get("intra_labels")
    return quality_history(
        intra["labels"][:, known],
        inter["labels"][:, known],
        None if between is None else between[:, known],
        pids[known],
        truth["camid"].to_numpy()[known],
    )
