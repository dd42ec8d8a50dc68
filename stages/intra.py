"""Train within each camera: pseudo labels and a head per camera.

Reads   data/packed/images.bin, data/split/train.csv, models/weights/${weights}
Writes  models/intra.safetensors, data/pseudo/intra.npz, metrics/intra.json,
        plots/intra.json
Params  seed, weights, model, augment, optim, head, intra, compute
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosscam.data.augment import AugmentParams
from crosscam.data.faults import DataError
from crosscam.data.packed import TRAIN_COLUMNS, PackedImages, read_table
from crosscam.files import write_json, write_npz
from crosscam.model.checkpoint import CheckpointError, initial_network, save_checkpoint
from crosscam.model.heads import HeadParams
from crosscam.model.network import Architecture
from crosscam.params import ParamsError, Seed, read_params
from crosscam.train.devices import ComputeParams, start_device
from crosscam.train.history import history, summary
from crosscam.train.intra import IntraParams, intra_round
from crosscam.train.optimise import OptimParams, TrainingError
from crosscam.train.rounds import Position, Setting, training_set


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    seed: Seed
    weights: str
    model: Architecture
    augment: AugmentParams
    optim: OptimParams
    head: HeadParams
    intra: IntraParams
    compute: ComputeParams


def main() -> None:
    """Run the stage."""
    p = read_params(Path("params.yaml"), Params)
    device = start_device(p.compute)
    network = initial_network(p.model, p.seed, p.weights, Path("models/weights"))
    network.to(device)

    table = read_table(Path("data/split/train.csv"), TRAIN_COLUMNS)
    packed = PackedImages(Path("data/packed/images.bin"))
    images = training_set(packed, table, network.architecture, p.compute)
    setting = Setting(p.seed, p.augment, p.optim, p.head, p.compute)

    num, epochs, lr = p.intra.rounds, p.intra.epochs, p.intra.lr
    positions = [Position("intra", number, num, stream=1) for number in range(num)]
    rounds = [
        intra_round(network, images, p.intra, setting, position, epochs, lr)
        for position in positions
    ]

    labels = np.stack([done.pseudo_labels for done in rounds])
    write_npz(Path("data/pseudo/intra.npz"), {"labels": labels})
    write_json(Path("metrics/intra.json"), {"intra": summary(rounds)})
    write_json(Path("plots/intra.json"), history([("intra", r) for r in rounds]))
    save_checkpoint(Path("models/intra.safetensors"), network, rounds[-1].heads)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        main()
    except (ParamsError, DataError, CheckpointError, TrainingError) as error:
        raise SystemExit(str(error)) from None
