"""Whether a GPU gives what a CPU gives: differences beside their tolerances.

Run ``python -m benchmarks.gpu_agreement`` on a machine with a GPU: needs neither DVC
nor a dataset, and ends with status 1 if a difference is too large. A run on the GPU
must give the same bytes twice, and when it is cut off after every epoch. ``--device
cpu`` compares a CPU with itself.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._crowd import crowd
from benchmarks.gpu import Params, fresh, params_of
from crosscam.cluster import on_device
from crosscam.cluster.distances import cosine_distances
from crosscam.cluster.scores import mix_scores_into
from crosscam.train.devices import start_device
from crosscam.train.features import styled_features, unit_features
from crosscam.train.inter import inter_round
from crosscam.train.intra import intra_round
from crosscam.train.measure import measure_norms, measure_styles
from crosscam.train.progress import Position, Progress
from crosscam.train.resume import KeptRun
from crosscam.train.rounds import TrainingSet, training_set

SYSTEMS = ("iids,synthetic,smoke", "convnext-aibn-tnorm,synthetic,smoke")
CAMERAS = 6


class Check(NamedTuple):
    """A difference, and the most that it may be."""

    name: str
    difference: float
    tolerance: float


class Life(NamedTuple):
    """What came out of a run: all weights, pseudo labels, loss of the first epoch."""

    weights: bytes
    labels: bytes
    loss: float


class CutError(Exception):
    """Stands for a kill."""


class CutRun(KeptRun):
    """A run that ends as soon as its state is kept."""

    def keep(self, progress: Progress) -> None:
        """Keep the state, and end."""
        super().keep(progress)
        raise CutError


def main(arguments: list[str] | None = None) -> None:
    """Print all checks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--systems", nargs="+", default=SYSTEMS)
    parser.add_argument("--images", type=int, default=2000, help="of all pairs")
    parser.add_argument("--classes", type=int, default=3600)
    options = parser.parse_args(arguments)
    checks = [distances(torch.device(options.device), options.images, options.classes)]
    for system in options.systems:
        checks += of_system(system, options.device)
    for name, difference, tolerance in checks:
        verdict = "ok" if difference <= tolerance else "TOO LARGE"
        print(f"{name:60} {difference:.2e}, at most {tolerance:.0e}: {verdict}")
    if not all(check.difference <= check.tolerance for check in checks):
        raise SystemExit(1)


def distances(device: torch.device, num: int, num_classes: int) -> Check:
    """Compare the distances between all pairs, mixed with the scores."""
    rng = np.random.default_rng(0)
    features = unit_features(torch.from_numpy(rng.standard_normal((num, 256), "f4")))
    logits = torch.from_numpy(
        rng.standard_normal((num, CAMERAS, num_classes // 6), "f4")
    )
    scores = (4 * logits).softmax(2).flatten(1)
    camids = rng.integers(0, CAMERAS, num)
    expected = cosine_distances(features)
    mix_scores_into(expected, scores.numpy(), camids, CAMERAS, 0.1)
    found = on_device.mixed_distances(
        torch.from_numpy(features).to(device),
        scores.to(device),
        camids,
        num_cameras=CAMERAS,
        weight=0.1,
    )
    name = f"distances and scores of {num:,} images, {num_classes:,} classes"
    return Check(name, float(np.abs(found - expected).max()), 5e-6)


def of_system(system: str, device: str) -> Iterator[Check]:
    """Yield the checks of a system on its small recipe."""
    cpu, fp32, bf16 = (
        params(system, *how)
        for how in (("cpu", "fp32"), (device, "fp32"), (device, "bf16"))
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        exact = features(cpu, cpu)
        yield Check(
            f"{system}: unit features",
            float(np.abs(features(fp32, cpu) - exact).max()),
            1e-4,
        )
        yield Check(
            f"{system}: unit features in bf16",
            float(np.abs(features(bf16, cpu) - exact).max()),
            0.05,
        )
        one, two, reference = (
            life(p, KeptRun(Path(f"run-{n}"))) for n, p in enumerate((fp32, fp32, cpu))
        )
        yield Check(f"{system}: bytes of a run twice", differing(one, two), 0)
        yield Check(
            f"{system}: bytes of a run cut off after every epoch",
            differing(one, cut_off(fp32, Path("cut"))),
            0,
        )
        yield Check(
            f"{system}: loss of the first epoch, relative",
            abs(one.loss / reference.loss - 1),
            1e-3,
        )


def params(system: str, device: str, precision: str) -> Params:
    """Return the parameters of a system on a device."""
    options = argparse.Namespace(
        device=device, compile=False, threads=1, batch_size=64, size=(64, 32)
    )
    p = params_of(system, precision, options)
    few = (
        replace(p.intra.clusters, num_clusters=4),
        replace(p.inter.clusters, num_clusters=8),
    )
    intra = replace(p.intra, clusters=few[0], epochs=2, lr=0.001)
    return replace(p, intra=intra, inter=replace(p.inter, clusters=few[1], lr=0.001))


def images_of(p: Params) -> TrainingSet:
    """Return made-up images on the device that computes."""
    packed, table = crowd(Path("images.bin"), 120, 3)
    return training_set(
        packed, table, p.model, p.compute, p.inter.clusters, across=True
    )


def features(p: Params, measured: Params) -> NDArray[np.float32]:
    """Return unit features by a network whose statistics were measured elsewhere."""
    start = start_device(measured.compute)
    images = images_of(measured)
    network = fresh(measured, images, start)
    measure_norms(network, images, 64)
    measure_styles(network, images, 64)
    device = start_device(p.compute)
    network.to(device).precision = p.compute.precision
    own = images_of(p)
    return unit_features(styled_features(network, own.pixels, own.camids, 64, {}).raw)


def life(p: Params, run: KeptRun) -> Life:
    """Run a round of each kind, from where the run is."""
    device = start_device(p.compute)
    images = images_of(p)
    progress = run.progress(fresh(p, images, device), p.head)
    at = Position("intra", 0, 1, stream=1)
    given = images, p.intra, p, at, p.intra.epochs, p.intra.lr
    heads = intra_round(progress.network, *given, progress).heads
    at = Position("inter", 0, 1, stream=2)
    inter_round(progress.network, heads, images, p.inter, p, at, progress)
    weights = progress.network.state_dict().values()
    return Life(
        b"".join(tensor.cpu().contiguous().numpy().tobytes() for tensor in weights),
        b"".join(done.pseudo_labels.tobytes() for _, done in progress.rounds),
        progress.rounds[0][1].epochs[0].loss,
    )


def cut_off(p: Params, folder: Path) -> Life:
    """Run the same in lives of one state each.

    Raises
    ------
    RuntimeError
        If it does not come to its end: then a state is not taken up.
    """
    states = 2 + p.intra.epochs + p.inter.epochs
    for _ in range(states + 1):
        with contextlib.suppress(CutError):
            return life(p, CutRun(folder))
    raise RuntimeError(f"{folder}: no end in {states + 1} lives")


def differing(one: Life, two: Life) -> float:
    """Return how many bytes of weights and labels differ."""
    pairs = zip(one[:2], two[:2], strict=True)
    arrays = [
        (np.frombuffer(a, np.uint8), np.frombuffer(b, np.uint8)) for a, b in pairs
    ]
    return float(sum((a != b).sum() if len(a) == len(b) else len(a) for a, b in arrays))


if __name__ == "__main__":
    main()
