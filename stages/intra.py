"""Train within each camera: pseudo labels and a head per camera.

Reads   data/packed/images.bin, data/split/train.csv, models/weights/${weights}
Writes  models/intra.safetensors, data/pseudo/intra.npz, metrics/intra.json,
        plots/intra.json
Params  seed, weights, model, augment, optim, head, distil, intra, compute
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from crosscam.data.faults import DataError
from crosscam.data.packed import TRAIN_COLUMNS, PackedImages, read_table
from crosscam.files import write_json, write_npz
from crosscam.model.checkpoint import CheckpointError, initial_network, save_checkpoint
from crosscam.model.network import Architecture
from crosscam.params import FileName, ParamsError, read_params
from crosscam.processes import is_first
from crosscam.stage import as_stage, several
from crosscam.train.devices import placed, start_device
from crosscam.train.history import history, summary
from crosscam.train.intra import IntraParams, intra_round
from crosscam.train.measure import measure_styles
from crosscam.train.optimise import TrainingError
from crosscam.train.progress import Position
from crosscam.train.resume import KeptRun, kept_run
from crosscam.train.rounds import Setting, training_set

DATA = IMAGES, TABLE = Path("data/packed/images.bin"), Path("data/split/train.csv")
WEIGHTS, RESULT = Path("models/weights"), Path("models/intra.safetensors")


@dataclass(frozen=True)
class Params(Setting):
    """What this stage reads of params.yaml."""

    weights: FileName
    model: Architecture
    intra: IntraParams


def main() -> None:
    """Run the stage."""
    p = read_params(Path("params.yaml"), Params)
    with several(p.compute.processes, "stages.intra"):
        device = start_device(p.compute)
        with kept_run("intra", p, (*DATA, WEIGHTS / p.weights), device, RESULT) as run:
            train(p, device, run)


def train(p: Params, device: torch.device, run: KeptRun) -> None:
    """Train from where the run is, and write the results."""
    packed, table = PackedImages(IMAGES), read_table(TABLE, TRAIN_COLUMNS)
    images = training_set(packed, table, p.model, p.compute, p.intra.clusters)
    camids = sorted(table["camid"].unique().tolist())
    network = initial_network(p.model, p.seed, p.weights, WEIGHTS, camids)
    progress = run.progress(placed(network, p.compute, device), p.head)
    num, epochs, lr = p.intra.rounds, p.intra.epochs, p.intra.lr
    for number in range(num):
        at = Position("intra", number, num, stream=1)
        intra_round(network, images, p.intra, p, at, epochs, lr, progress)
    measure_styles(network, images, p.compute.batch_size)
    if not is_first():
        return
    rounds = [done for _, done in progress.rounds]
    arrays = {"labels": np.stack([done.pseudo_labels for done in rounds])}
    write_npz(Path("data/pseudo/intra.npz"), arrays)
    write_json(Path("metrics/intra.json"), {"intra": summary(rounds)})
    write_json(Path("plots/intra.json"), history([("intra", r) for r in rounds]))
    save_checkpoint(RESULT, network, rounds[-1].heads)


if __name__ == "__main__":
    with as_stage(ParamsError, DataError, CheckpointError, TrainingError, OSError):
        main()
