"""The alternation of inter-camera and intra-camera rounds."""

from __future__ import annotations

from crosscam.model.heads import Head
from crosscam.model.network import Network
from crosscam.train.inter import InterParams, inter_round
from crosscam.train.intra import IntraParams, intra_round
from crosscam.train.rounds import Position, Round, Setting, TrainingSet


def alternate(
    network: Network,
    heads: dict[int, Head],
    images: TrainingSet,
    intra: IntraParams,
    inter: InterParams,
    setting: Setting,
) -> list[tuple[str, Round]]:
    """Run all inter-camera rounds, with an intra-camera phase between two of them.

    Parameters
    ----------
    network
        Is trained in place.
    heads
        Of the last intra-camera round, by camera.
    images
        All training images.
    intra, inter, setting
        Of the phases and of the run.

    Returns
    -------
    list
        Name of the phase ("inter" or "intra") and outcome, in order. With
        `inter.intra_epochs` 0, cosine heads are made anew from each camera's clusters
        and not trained; linear ones, which would be random, stay those in `heads`.
    """
    rounds: list[tuple[str, Round]] = []
    num = inter.rounds
    for number in range(num):
        if number > 0 and (inter.intra_epochs > 0 or setting.head.kind == "cosine"):
            lr = intra.lr * inter.lr_decay**number
            position = Position("intra", number, num, stream=3)
            done = intra_round(
                network, images, intra, setting, position, inter.intra_epochs, lr
            )
            heads = done.heads
            rounds.append(("intra", done))
        position = Position("inter", number, num, stream=2)
        rounds.append((
            "inter",
            inter_round(network, heads, images, inter, setting, position),
        ))
    return rounds
