"""Steps of training: a batch forward and backward, and the optimiser."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 (torch's own convention)

from benchmarks.hot.networks import (
    PLAIN,
    PRECISE,
    ROUGH,
    cases_of_networks,
    near,
    network_of,
    noise,
    normalised,
    parameters,
    plain_network,
)
from benchmarks.hot.path import Arrays, Goal, Implementation, Path, Run
from crosscam.data.augment import normalise
from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import Precision
from crosscam.train.optimise import OptimParams, Phase

BATCH = 16
CLASSES = 800
LR = 0.01
OPTIM = OptimParams("sgd", 0.9, 0.0005, 1.0, "constant")


def inputs(_: str, num: int, __: str) -> Arrays:
    """Return images and their classes."""
    return {**noise(num), "labels": np.arange(num) % CLASSES}


def head_of(size: int) -> Head:
    """Return a linear head, the same every time."""
    torch.manual_seed(1)
    return Head(size, CLASSES, HeadParams("linear", 1.0), neck=False)


def batches_of(num: int) -> list[np.ndarray]:
    """Return the rows of each batch."""
    return [np.arange(start, start + BATCH) for start in range(0, num, BATCH)]


def ours(arrays: Arrays, name: str, num: int, precision: Precision) -> Run:
    """Start ours."""
    network = network_of(name).train()
    network.precision = precision
    head = head_of(network.feature_size)
    pixels, labels = (torch.from_numpy(arrays[n]) for n in ("pixels", "labels"))
    phase = Phase(network, [head], OPTIM, lr=LR, num_epochs=1)

    def loss_of(rows: np.ndarray) -> torch.Tensor:
        batch = normalise(pixels[rows], network.mean, network.std)
        return F.cross_entropy(head(network(batch)), labels[rows])

    def run() -> Arrays:
        loss = phase.run_epoch(0, batches_of(num), loss_of).loss
        return {"loss": np.array([loss])}

    return run


def plain(arrays: Arrays, name: str, num: int, _: str) -> Run:
    """Start a loop over timm's model as it comes, float32, channels first."""
    model = plain_network(name).train()
    head = head_of(model.num_features)
    pixels, labels = (torch.from_numpy(arrays[n]) for n in ("pixels", "labels"))
    config = model.pretrained_cfg
    optimizer = torch.optim.SGD(
        parameters(model, head), lr=LR, momentum=0.9, weight_decay=0.0005
    )

    def run() -> Arrays:
        losses = []
        for rows in batches_of(num):
            batch = normalised(pixels[rows], config["mean"], config["std"])
            loss = F.cross_entropy(head(model(batch)), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return {"loss": np.array([np.mean(losses)])}

    return run


PATH = Path(
    title="training steps, 256 × 128, 2 × 16 images",
    inputs=inputs,
    ours=Implementation("crosscam", ours),
    peers={
        "timm": Implementation(PLAIN, plain, tolerance=1e-3, cases=PRECISE),
        "timm_bf16": Implementation(PLAIN, plain, tolerance=0.05, cases=ROUGH),
    },
    agreement=near,
    cases=cases_of_networks(2 * BATCH, Goal(wall=1)),
    quick=("mobilenetv2_100", BATCH, "fp32"),
    warm=lambda name, _, precision: (name, BATCH, precision),
)
