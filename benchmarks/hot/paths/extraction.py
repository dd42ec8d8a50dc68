"""Features of images and their mirror images, by a network."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.hot.networks import (
    NAMES,
    near,
    network_of,
    noise,
    normalised,
    plain_network,
)
from benchmarks.hot.path import Arrays, Case, Implementation, Path
from crosscam.train.features import raw_features

BATCH = 16


def inputs(_: str, num: int) -> Arrays:
    """Return images."""
    return noise(num)


def ours(arrays: Arrays, name: str, _: int) -> Callable[[], Arrays]:
    """Start ours."""
    network, pixels = network_of(name), torch.from_numpy(arrays["pixels"])
    return lambda: {"raw": raw_features(network, pixels, BATCH).numpy()}


def plain(arrays: Arrays, name: str, _: int) -> Callable[[], Arrays]:
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
    title="features, float32, 256 × 128, 64 images",
    inputs=inputs,
    ours=Implementation("crosscam", ours),
    peers={"timm": Implementation("timm, a plain loop", plain, tolerance=1e-4)},
    agreement=near,
    cases=tuple(Case(label, (name, 64)) for name, label in NAMES.items()),
    quick=("mobilenetv2_100", 4),
    warm=lambda name, _: (name, BATCH),
)
