"""Train within each camera: pseudo labels and a head per camera.

Reads   data/packed/images.bin, data/split/train.csv, models/weights/${weights}
Writes  models/intra.safetensors, data/pseudo/intra.npz, metrics/intra.json,
        plots/intra.json
Params  seed, weights, model, augment, optim, head, distil, intra, compute
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crosscam.data.faults import DataError
from crosscam.data.packed import TRAIN_COLUMNS, PackedImages, read_table
from crosscam.files import write_json, write_npz
from crosscam.model.checkpoint import CheckpointError, initial_network, save_checkpoint
from crosscam.model.network import Architecture
from crosscam.params import ParamsError, read_params
from crosscam.train.devices import start_device
from crosscam.train.history import history, summary
from crosscam.train.intra import IntraParams, intra_round
from crosscam.train.measure import measure_styles
from crosscam.train.optimise import TrainingError
from crosscam.train.rounds import Position, Setting, training_set


@dataclass(frozen=True)
class Params(Setting):
    """What this stage reads of params.yaml."""

    weights: str
    model: Architecture
    intra: IntraParams


def main() -> None:
    """Run the stage."""
    p = read_params(Path("params.yaml"), Params)
    device = start_device(p.compute)
    table = read_table(Path("data/split/train.csv"), TRAIN_COLUMNS)
    packed = PackedImages(Path("data/packed/images.bin"))
    images = training_set(packed, table, p.model, p.compute)

    camids = sorted(table["camid"].unique().tolist())
    folder = Path("models/weights")
    network = initial_network(p.model, p.seed, p.weights, folder, camids).to(device)

    num, epochs, lr = p.intra.rounds, p.intra.epochs, p.intra.lr
    positions = [Position("intra", number, num, stream=1) for number in range(num)]
    rounds = [
        intra_round(network, images, p.intra, p, position, epochs, lr)
        for position in positions
    ]
    measure_styles(network, images, p.compute.batch_size)

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
