"""How fast a device trains and extracts, and what a round of a published system takes.

Run ``python -m benchmarks.gpu`` on a machine with a GPU. For each system and precision:
images/s of training steps and of extraction, beside what the device's own products and
copies allow (the roofline); seconds of each phase of one whole round, states kept, on a
made-up dataset of Market-1501's size; and what its 40 rounds would take. ``--out FILE``
writes the same as JSON after each system. A smaller one runs anywhere: ``--device cpu
--images 64 --size 64 32 --steps 2``.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from benchmarks._crowd import crowd
from benchmarks._phases import Clock, lines, timed_phases, within
from benchmarks._speed import bounds, peak_bytes, peaks, reset_peak_bytes, speed
from crosscam.data.packed import PackedImages
from crosscam.files import write_json
from crosscam.model.checkpoint import initial_network
from crosscam.model.network import Architecture, Network
from crosscam.params import parse_params
from crosscam.train.devices import placed, start_device
from crosscam.train.inter import InterParams, inter_round
from crosscam.train.intra import IntraParams, intra_round
from crosscam.train.progress import Position, Progress
from crosscam.train.resume import KeptRun
from crosscam.train.rounds import Setting, TrainingSet, training_set
from recipes.__main__ import build, texts

SYSTEMS = ("iids", "convnext-aibn-tnorm", "convnext-aibn-tnorm-small")
ROUNDS = 40  # as published


@dataclass(frozen=True)
class Params(Setting):
    """What the rounds need."""

    model: Architecture
    intra: IntraParams
    inter: InterParams


class Seconds(NamedTuple):
    """By phase: of what comes before the first round, and of a round of each kind."""

    before: Counter[str]
    inter: Counter[str]
    intra: Counter[str]

    def of_rounds(self, num: int) -> Counter[str]:
        """Return those of so many rounds, with an intra-camera phase between two."""
        total = Counter(self.before)
        for phase, took in self.inter.items():
            total[phase] += num * took
        for phase, took in self.intra.items():
            total[phase] += (num - 1) * took
        return total


def main(arguments: list[str] | None = None) -> None:
    """Run all systems in all precisions, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", nargs="+", default=SYSTEMS)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    precisions = ("bf16", "fp32")
    parser.add_argument(
        "--precisions", nargs="+", choices=precisions, default=precisions
    )
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch-size", type=int, default=512, help="of extraction")
    parser.add_argument("--images", type=int, default=12_936)
    parser.add_argument("--cameras", type=int, default=6)
    parser.add_argument("--size", type=int, nargs=2, default=(256, 128))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    print(about(options), flush=True)
    found: dict[str, Any] = {"about": about(options)}
    with tempfile.TemporaryDirectory() as folder:
        where = Path(folder, "images.bin")
        packed, table = crowd(where, options.images, options.cameras)
        for system in options.systems:
            for precision in options.precisions:
                result = measure(system, precision, packed, table, options)
                found[f"{system}, {precision}"] = result
                if options.out:
                    write_json(options.out, found)


def about(options: argparse.Namespace) -> str:
    """Return what is measured, and on what."""
    gpu = options.device != "cpu" and torch.cuda.is_available()
    name = torch.cuda.get_device_name() if gpu else "CPU"
    height, width = options.size
    return (
        f"{name}, torch {torch.__version__}, {options.threads} threads; "
        f"{options.images:,} images of {options.cameras} cameras, {height} × {width}"
    )


def measure(
    system: str,
    precision: str,
    packed: PackedImages,
    table: pd.DataFrame,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Print what one system takes in one precision, and return it."""
    p = params_of(system, precision, options)
    device = start_device(p.compute)
    compiled = ", compiled" * options.compile
    print(f"\n{system}: {p.model.backbone}, {precision}{compiled}")
    with (
        tempfile.TemporaryDirectory() as folder,
        timed_phases() as clock,
        contextlib.chdir(folder),
    ):
        reset_peak_bytes(device)
        clock.taken()
        images = training_set(
            packed, table, p.model, p.compute, p.inter.clusters, across=True
        )
        decoded = clock.taken()
        network = fresh(p, images, device)
        found = speed(network, images, p, options.steps)
        limits = bounds(network, images, p, peaks(device, precision))
        print("\n".join(found.lines(limits)), flush=True)
        seconds = rounds(fresh(p, images, device), images, p, clock)
    seconds.before.update(decoded)
    kinds = ("decoding and the first intra round", "an inter round", "an intra round")
    for kind, took in zip(kinds, seconds, strict=True):
        print(f" {kind}:", *lines(took), sep="\n")
    print(f" {ROUNDS} rounds, computed from these:")
    whole, most = seconds.of_rounds(ROUNDS), peak_bytes(device)
    print("\n".join(lines(whole)))
    print(f" at most {most / 1e9:.1f} GB of memory", flush=True)
    return {
        "images per second": found._asdict(),
        "limits": limits._asdict(),
        "seconds": seconds._asdict() | {f"{ROUNDS} rounds": whole},
        "bytes": most,
    }


def params_of(system: str, precision: str, options: argparse.Namespace) -> Params:
    """Return the parameters of a system, as its recipes say but for what is asked.

    Learning rates are low and numbers of clusters are set, as on Market-1501: on noise
    and random weights neither losses nor quantiles of distances mean anything.
    """
    p = parse_params(build(texts(), system.split(",")), Params, system)
    compute = replace(
        p.compute,
        device=options.device,
        precision=precision,
        compile=options.compile,
        threads=options.threads,
        batch_size=options.batch_size,
    )
    intra, inter = (
        replace(part, lr=1e-5, clusters=replace(part.clusters, by="count", min_size=1))
        for part in (p.intra, p.inter)
    )
    model = replace(p.model, image_size=tuple(options.size))
    return replace(p, model=model, compute=compute, intra=intra, inter=inter)


def fresh(p: Params, images: TrainingSet, device: torch.device) -> Network:
    """Return a network of random weights."""
    camids = sorted(set(images.camids.tolist()))
    network = initial_network(p.model, p.seed, "none", Path(), camids)
    return placed(network, p.compute, device)


def rounds(network: Network, images: TrainingSet, p: Params, clock: Clock) -> Seconds:
    """Run an intra-camera round, and then one of each kind, as `alternate` does."""
    keep = within(clock, "keeping", KeptRun(Path("run")).keep)
    progress, intra = Progress(network, keep), p.intra
    clock.taken()
    at = Position("intra", 0, 1, stream=1)
    heads = intra_round(
        network, images, intra, p, at, intra.epochs, intra.lr, progress
    ).heads
    before = clock.taken()
    at = Position("inter", 0, ROUNDS, stream=2)
    inter_round(network, heads, images, p.inter, p, at, progress)
    across = clock.taken()
    at = Position("intra", 1, ROUNDS, stream=3)
    epochs = p.inter.intra_epochs
    intra_round(network, images, intra, p, at, epochs, intra.lr, progress)
    return Seconds(before, across, clock.taken())


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    main()
