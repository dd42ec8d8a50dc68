"""Rounds to the records and numbers that stages write."""

from __future__ import annotations

from typing import Any

import numpy as np

from crosscam.train.progress import Round

Record = dict[str, Any]


def history(rounds: list[tuple[str, Round]]) -> list[Record]:
    """Return one record per epoch, in order.

    Parameters
    ----------
    rounds
        Name of the phase and outcome of each round.

    Returns
    -------
    list of dict
        ``epoch`` counts on from 1 over all rounds, ``round`` is the round's number;
        ``loss`` and ``lr`` are the epoch's, ``num_clusters`` (over all cameras) and
        ``outliers`` (a fraction of the images) its round's.
    """
    records: list[Record] = []
    for phase, done in rounds:
        for epoch in done.epochs:
            records.append({
                "epoch": len(records) + 1,
                "phase": phase,
                "round": done.number,
                "loss": epoch.loss,
                "lr": epoch.lr,
                "num_images": epoch.num_images,
                **_clusters(done),
            })
    return records


def summary(rounds: list[Round]) -> Record:
    """Return the numbers of the last round: loss, clusters, outliers, steps.

    Parameters
    ----------
    rounds
        At least one; ``steps`` counts those of all rounds. The loss of a round without
        epochs is None.
    """
    last = rounds[-1]
    return {
        "loss": last.epochs[-1].loss if last.epochs else None,
        "steps": sum(epoch.num_steps for done in rounds for epoch in done.epochs),
        **_clusters(last),
    }


def _clusters(done: Round) -> Record:
    return {
        "num_clusters": done.num_clusters,
        "outliers": float(np.mean(done.pseudo_labels < 0)),
    }
