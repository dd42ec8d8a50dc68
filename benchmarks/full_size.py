"""Time and memory of one round of a published system at its full size, on few images.

Run ``python -m benchmarks.full_size [SYSTEM] [--images 200]`` after `dvc repro split`:
the recipe's network with random weights, on training images of the synthetic dataset
enlarged to the published size. One intra-camera round, one inter-camera round, and
the features of as many test images. Clusters are cut at `QUANTILE`: of so few images
the published one leaves 14 of 200 in a cluster, and nearly nothing would be trained on.
"""

from __future__ import annotations

import argparse
import logging
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from crosscam.data.images import decode_all
from crosscam.data.packed import TRAIN_COLUMNS, PackedImages, read_table
from crosscam.model.checkpoint import initial_network
from crosscam.model.network import Architecture
from crosscam.params import parse_params
from crosscam.train.devices import placed, start_device
from crosscam.train.features import features
from crosscam.train.inter import InterParams, inter_round
from crosscam.train.intra import IntraParams, intra_round
from crosscam.train.measure import measure_styles
from crosscam.train.progress import Position, Progress
from crosscam.train.rounds import Setting, TrainingSet
from recipes.__main__ import build, texts

ROOT = Path(__file__).resolve().parent.parent
Result = TypeVar("Result")
QUANTILE = 0.05


@dataclass(frozen=True)
class Params(Setting):
    """What the rounds need."""

    model: Architecture
    intra: IntraParams
    inter: InterParams


def main() -> None:
    """Run one round of each kind and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", nargs="?", default="convnext-aibn-tnorm")
    parser.add_argument("--images", type=int, default=200)
    arguments = parser.parse_args()
    p = parse_params(build(texts(), [arguments.system]), Params, arguments.system)
    device = start_device(p.compute)
    table = read_table(ROOT / "data/split/train.csv", TRAIN_COLUMNS)
    table = table.sample(arguments.images, random_state=0)
    packed = PackedImages(ROOT / "data/packed/images.bin")
    pixels = decode_all(packed, table, p.model.image_size, p.compute.image_cache_gb)
    camids = table["camid"].to_numpy()
    images = TrainingSet(pixels, camids)
    known = sorted(set(camids.tolist()))
    network = initial_network(p.model, p.seed, "none", Path(), known)
    placed(network, p.compute, device)
    first, second = Position("intra", 0, 1, stream=1), Position("inter", 0, 1, stream=2)
    size = p.compute.batch_size
    intra, inter = (
        replace(part, clusters=replace(part.clusters, quantile=QUANTILE))
        for part in (p.intra, p.inter)
    )
    progress = Progress(network)
    heads = timed(
        f"intra round, {intra.epochs} epochs",
        lambda: intra_round(
            network, images, intra, p, first, intra.epochs, intra.lr, progress
        ),
    ).heads
    timed(
        f"inter round, {inter.epochs} epochs",
        lambda: inter_round(network, heads, images, inter, p, second, progress),
    )
    timed("styles", lambda: measure_styles(network, images, size))
    timed("features", lambda: features(network, pixels, size, camids))
    timed("features as they are", lambda: features(network, pixels, size))


def timed(what: str, run: Callable[[], Result]) -> Result:
    """Run, print seconds and the peak of memory up to here, and return the result."""
    started = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - started
    # In kilobytes on Linux, in bytes on macOS.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{what}: {seconds:.1f} s, peak {peak:.2f} GB")
    return result


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    main()
