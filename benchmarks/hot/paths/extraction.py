"""Features of images and their mirror images, by a network."""

from __future__ import annotations

import torch

from benchmarks.hot.networks import (
    PLAIN,
    PRECISE,
    ROUGH,
    cases_of_networks,
    near,
    network_of,
    noise,
    normalised,
    plain_network,
)
from benchmarks.hot.path import Arrays, Goal, Implementation, Path, Run
from crosscam.model.network import Precision
from crosscam.train.features import raw_features

BATCH = 16


def inputs(_: str, num: int, __: str) -> Arrays:
    """Return images."""
    return noise(num)


def ours(arrays: Arrays, name: str, _: int, precision: Precision) -> Run:
    """Start ours."""
    network, pixels = network_of(name), torch.from_numpy(arrays["pixels"])
    network.precision = precision
    return lambda: {"raw": raw_features(network, pixels, BATCH).numpy()}


def plain(arrays: Arrays, name: str, *_: int | str) -> Run:
    """Start a loop over timm's model as it comes, float32, channels first."""
    model, pixels = plain_network(name), torch.from_numpy(arrays["pixels"])
    config = model.pretrained_cfg

    @torch.inference_mode()
    def run() -> Arrays:
        found = []
        for rows in pixels.split(BATCH):
            batch = normalised(rows, config["mean"], config["std"])
            found.append((model(batch) + model(batch.flip(3))) / 2)
        return {"raw": torch.cat(found).numpy()}

    return run


PATH = Path(
    title="features, 256 × 128, 64 images",
    inputs=inputs,
    ours=Implementation("crosscam", ours),
    peers={
        "timm": Implementation(PLAIN, plain, tolerance=1e-4, cases=PRECISE),
        "timm_bf16": Implementation(PLAIN, plain, tolerance=0.05, cases=ROUGH),
    },
    agreement=near,
    cases=cases_of_networks(64, Goal(wall=1.6)),
    quick=("mobilenetv2_100", 4, "fp32"),
    warm=lambda name, _, precision: (name, BATCH, precision),
)
