"""Pseudo labels of all rounds beside the truth, as far as there is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from crosscam.cluster.quality import quality_history
from crosscam.data.pids import is_person
from crosscam.rank.feature_set import RankingError

Labels = Mapping[str, NDArray[Any]]


def training_truth(train: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Return the training images with their identities.

    Parameters
    ----------
    train, truth
        Tables with a row per training image.

    Raises
    ------
    RankingError
        If they are not of equally many images.
    """
    if len(train) != len(truth):
        raise RankingError(
            f"train and truth: must have equally many rows, got {len(train)} and"
            f" {len(truth)}: run the stage split"
        )
    return train.join(truth)


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

    Raises
    ------
    RankingError
        If a round has not one label per training image.
    """
    for of, arrays in {"intra": intra, "inter": inter}.items():
        for name, labels in arrays.items():
            if labels.ndim != 2 or labels.shape[1] != len(truth):
                raise RankingError(
                    f"{of} {name}: must be one per training image, of {len(truth)}, got"
                    f" the shape {labels.shape}: run the stage {of}"
                )
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
