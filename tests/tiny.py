"""A tiny training set and network: a round of training takes a fraction of a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from crosscam.cluster.jaccard import RerankParams
from crosscam.cluster.pseudo_labels import CutParams
from crosscam.data.augment import AugmentParams
from crosscam.model.heads import HeadParams
from crosscam.model.network import Architecture, Network
from crosscam.train.devices import ComputeParams
from crosscam.train.inter import InterParams, MixParams, TripletParams
from crosscam.train.intra import IntraParams, intra_round
from crosscam.train.optimise import OptimParams
from crosscam.train.resume import KeptRun
from crosscam.train.rounds import Position, Setting, TrainingSet
from crosscam.train.views import DistilParams

NUM_CAMERAS, NUM_PEOPLE, NUM_IMAGES = 3, 5, 3  # images of a person in a camera
CAMIDS = np.tile(np.repeat(np.arange(NUM_CAMERAS), NUM_IMAGES), NUM_PEOPLE)
PIDS = np.repeat(np.arange(1, NUM_PEOPLE + 1), NUM_CAMERAS * NUM_IMAGES)

# Drop path draws from torch's global generator, as the default backbone can.
ARCHITECTURE = Architecture(
    "test_convnext", {"drop_path_rate": 0.1}, (64, 32), 2, "gap", "feature"
)
SETTING = Setting(
    seed=0,
    augment=AugmentParams(0.5, 2, 0.1, 0.1, 0.5, (0.02, 0.2), 0.3),
    optim=OptimParams("adamw", 0.9, 0.0005, 0.5, "cosine"),
    head=HeadParams("cosine", 16.0),
    distil=DistilParams(0.0, 0.0, 0.5),
    compute=ComputeParams("cpu", 1, 1.0, 64),
)
# All parts at once: AIBN, camera styles and self-distillation.
WHOLE = replace(ARCHITECTURE, aibn="deep", tnorm=True)
DISTILLED = replace(SETTING, distil=DistilParams(0.5, 0.25, 0.5))
RERANK = RerankParams(k1=4, k2=2, lambda_=0.3)
CUT = CutParams("count", NUM_PEOPLE, 0.1, min_size=1)
INTRA = IntraParams(
    rounds=1, epochs=2, lr=0.002, batch_per_camera=8, rerank=RERANK, clusters=CUT
)
INTER = InterParams(
    rounds=2,
    epochs=1,
    intra_epochs=0,
    lr=0.002,
    lr_decay=0.5,
    num_pids_per_batch=4,
    num_instances=4,
    rerank=RERANK,
    clusters=CUT,
    mix=MixParams(0.02, 0.6),
    triplet=TripletParams(1.0, 0.3),
)
FIRST_INTRA = Position("intra", 0, 1, stream=1)
FIRST_INTER = Position("inter", 0, 2, stream=2)


def tiny_network(architecture: Architecture = ARCHITECTURE) -> Network:
    """Return the same random network each time."""
    torch.manual_seed(7)
    return Network(architecture, range(NUM_CAMERAS))


def tiny_images() -> TrainingSet:
    """Return all images: a colour per person, tinted by the camera, and noise."""
    rng = np.random.default_rng(0)
    people = rng.integers(40, 216, (NUM_PEOPLE + 1, 3, 1, 1))
    tints = rng.integers(-15, 16, (NUM_CAMERAS, 3, 1, 1))
    noise = rng.integers(-25, 26, (len(PIDS), 3, 64, 32))
    pixels = np.clip(people[PIDS] + tints[CAMIDS] + noise, 0, 255)
    return TrainingSet(torch.from_numpy(pixels.astype(np.uint8)), CAMIDS)


def state_bytes(*modules: torch.nn.Module) -> bytes:
    """Return all weights, one after the other."""
    tensors = [value for module in modules for value in module.state_dict().values()]
    return b"".join(tensor.contiguous().numpy().tobytes() for tensor in tensors)


def kept_state(folder: Path) -> Path:
    """Keep an intra-camera round of two epochs in a folder; return its state."""
    run = KeptRun(folder)
    progress = run.progress(tiny_network(), SETTING.head)
    given = tiny_images(), INTRA, SETTING, FIRST_INTRA, 2, 0.002
    intra_round(progress.network, *given, progress)
    return run.file
