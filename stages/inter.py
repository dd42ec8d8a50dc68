"""Train across cameras: score similarities, pseudo labels and one head over all.

Reads   data/packed/images.bin, data/split/train.csv, models/intra.safetensors
Writes  models/inter.safetensors, data/pseudo/inter.npz, metrics/inter.json,
        plots/inter.json
Params  seed, augment, optim, head, distil, intra, inter, compute
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from crosscam.data.faults import DataError
from crosscam.data.packed import TRAIN_COLUMNS, PackedImages, read_table
from crosscam.files import write_json, write_npz
from crosscam.model.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from crosscam.params import ParamsError, read_params
from crosscam.processes import is_first
from crosscam.stage import as_stage, several
from crosscam.train.alternate import alternate
from crosscam.train.devices import placed, start_device
from crosscam.train.history import history, summary
from crosscam.train.inter import InterParams
from crosscam.train.intra import IntraParams
from crosscam.train.measure import measure_styles
from crosscam.train.optimise import TrainingError
from crosscam.train.resume import KeptRun, kept_run
from crosscam.train.rounds import Setting, training_set

DATA = IMAGES, TABLE = Path("data/packed/images.bin"), Path("data/split/train.csv")
START, RESULT = Path("models/intra.safetensors"), Path("models/inter.safetensors")


@dataclass(frozen=True)
class Params(Setting):
    """What this stage reads of params.yaml."""

    intra: IntraParams
    inter: InterParams


def main() -> None:
    """Run the stage."""
    p = read_params(Path("params.yaml"), Params)
    with several(p.compute.processes, "stages.inter"):
        device = start_device(p.compute)
        with kept_run("inter", p, (*DATA, START), device, RESULT) as run:
            train(p, device, run)


def train(p: Params, device: torch.device, run: KeptRun) -> None:
    """Train from where the run is, and write the results."""
    network, heads = load_checkpoint(START)
    placed(network, p.compute, device)
    heads = {camid: head.to(device) for camid, head in heads.items()}
    data = PackedImages(IMAGES), read_table(TABLE, TRAIN_COLUMNS), network.architecture
    images = training_set(*data, p.compute, p.inter.clusters, across=True)
    progress = run.progress(network, p.head)
    rounds = alternate(network, heads, images, p.intra, p.inter, p, progress)
    measure_styles(network, images, p.compute.batch_size)
    if not is_first():
        return
    inter = [done for phase, done in rounds if phase == "inter"]
    intra = [done.pseudo_labels for phase, done in rounds if phase == "intra"]
    arrays = {"labels": np.stack([done.pseudo_labels for done in inter])}
    if intra:
        arrays["intra_labels"] = np.stack(intra)
    write_npz(Path("data/pseudo/inter.npz"), arrays)
    write_json(Path("metrics/inter.json"), {"inter": summary(inter)})
    write_json(Path("plots/inter.json"), history(rounds))
    save_checkpoint(RESULT, network, inter[-1].heads)


if __name__ == "__main__":
    with as_stage(ParamsError, DataError, CheckpointError, TrainingError, OSError):
        main()
