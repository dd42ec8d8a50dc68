"""Features in the styles of all cameras: what comes before them computed once.

Ours in passes as the recipes have them: 64 images in some style, each with its mirror
image; a pass per camera has 16 images and their mirror images.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from benchmarks.hot.networks import NAMES, near, network_of, noise
from benchmarks.hot.path import Arrays, Case, Implementation, Path
from crosscam.data.augment import normalise
from crosscam.model.moments import Style
from crosscam.model.network import Network
from crosscam.train.features import styled_features
from crosscam.train.measure import measure_styles
from crosscam.train.rounds import TrainingSet

BATCH = 64


def inputs(_: str, num_cameras: int, num: int) -> Arrays:
    """Return images and their cameras."""
    return {**noise(num), "camids": np.arange(num) % num_cameras}


def styled(arrays: Arrays, name: str, num_cameras: int) -> tuple[Network, TrainingSet]:
    """Return a network that has measured the cameras' styles on the images."""
    images = TrainingSet(torch.from_numpy(arrays["pixels"]), arrays["camids"])
    network = network_of(name, tuple(range(num_cameras)))
    measure_styles(network, images, BATCH)
    return network, images


def ours(arrays: Arrays, name: str, num_cameras: int, _: int) -> Callable[[], Arrays]:
    """Start ours."""
    network, (pixels, camids) = styled(arrays, name, num_cameras)

    def run() -> Arrays:
        raw = styled_features(network, pixels, camids, BATCH, {}).raw
        return {"raw": raw.numpy()}

    return run


def passes(arrays: Arrays, name: str, num_cameras: int, _: int) -> Callable[[], Arrays]:
    """Start one whole pass per camera, all images in its style."""
    network, (pixels, camids) = styled(arrays, name, num_cameras)
    styles = network.styles
    if styles is None:
        raise ValueError(f"{name}: has no camera styles")
    sources = styles.positions(camids).repeat(2)

    def one(target: int) -> torch.Tensor:
        batch = normalise(pixels, network.mean, network.std)
        with styles.applied(Style(sources, torch.full_like(sources, target))):
            both = network(torch.cat([batch, batch.flip(3)]))
        mean: torch.Tensor = both.view(2, len(batch), -1).mean(0)
        return mean

    @torch.inference_mode()
    def run() -> Arrays:
        every = torch.stack([one(target) for target in range(num_cameras)])
        return {"raw": every.mean(0).numpy()}

    return run


PATH = Path(
    title="features in all cameras' styles, 16 images",
    inputs=inputs,
    ours=Implementation("crosscam", ours),
    peers={"passes": Implementation("a pass per camera", passes, tolerance=1e-4)},
    agreement=near,
    cases=tuple(
        Case(f"{label}, {num_cameras} cameras", (name, num_cameras, 16))
        for name, label in NAMES.items()
        for num_cameras in (6, 15)
    ),
    quick=("mobilenetv2_100", 2, 2),
    warm=lambda name, num_cameras, _: (name, num_cameras, 1),
)
