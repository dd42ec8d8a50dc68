"""The alternation of inter-camera and intra-camera rounds."""

from __future__ import annotations

from crosscam.model.heads import Head
from crosscam.model.network import Network
from crosscam.train.inter import InterParams, inter_round
from crosscam.train.intra import IntraParams, intra_round
from crosscam.train.progress import Position, Progress, Round
from crosscam.train.rounds import Setting, TrainingSet


def alternate(
    network: Network,
    heads: dict[int, Head],
    images: TrainingSet,
    intra: IntraParams,
    inter: InterParams,
    setting: Setting,
    progress: Progress,
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
    progress
        Of the run; rounds that are done are not run again.

    Returns
    -------
    list
        Name of the phase ("inter" or "intra") and outcome, in order. With
        `inter.intra_epochs` 0, cosine heads are made anew from each camera's clusters
        and not trained; linear ones, which would be random, stay those in `heads`.
    """
    num = inter.rounds
    for number in range(num):
        if number > 0 and (inter.intra_epochs > 0 or setting.head.kind == "cosine"):
            lr = intra.lr * inter.lr_decay**number
            position = Position("intra", number, num, stream=3)
            epochs = inter.intra_epochs
            done = intra_round(
                network, images, intra, setting, position, epochs, lr, progress
            )
            heads = done.heads
        position = Position("inter", number, num, stream=2)
        inter_round(network, heads, images, inter, setting, position, progress)
    return [(position.name, done) for position, done in progress.rounds]
