"""What it costs to keep a run's state after every epoch, and to check on a run.

Run ``python -m benchmarks.resume``: trains both stages of a recipe on the synthetic
dataset with and without states, in turn, times the checks among that (of room, losses,
parameters, clusters), and what the state of a published ResNet-50 would take to write.
``--recipe smoke --repeats 1`` only shows that it works.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import torch

from benchmarks._phases import timed_phases
from crosscam.files import write_bytes
from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import Network
from crosscam.params import read_params
from crosscam.train.devices import start_device
from crosscam.train.optimise import Epoch, Phase
from crosscam.train.progress import Clusters, Position, Progress
from crosscam.train.resume import KeptRun, kept_run
from recipes.__main__ import build, texts
from stages import inter, intra, split, synthesize, unzip

# A stage, and what it reads beside the images and their table.
STAGES = {"intra": (intra, intra.WEIGHTS / "none"), "inter": (inter, inter.START)}
CAMERAS, CLUSTERS = range(6), 600  # of Market-1501, per camera, in IICS
NUM_IMAGES = 12936
MB = 1e6


CHECKS = dict.fromkeys(
    (
        ("crosscam.data.images", "check_memory"),
        ("crosscam.data.images", "check_disk"),
        ("crosscam.train.rounds", "check_memory"),
        ("crosscam.train.resume", "check_disk"),
        ("crosscam.train.rounds", "loss_signs"),
        ("crosscam.train.intra", "camera_signs"),
        ("crosscam.train.inter", "cluster_signs"),
        ("crosscam.train.inter", "dead_cameras"),
        ("crosscam.train.optimise:Phase", "_check_finite"),
    ),
    "checks",
)


class Unkept:
    """A run that is not kept."""

    def progress(self, network: Network, _: HeadParams) -> Progress:
        """Return one that begins."""
        return Progress(network)


class Measured(KeptRun):
    """A run that is kept, and how large and how long that was."""

    sizes: ClassVar[list[int]] = []
    seconds: ClassVar[list[float]] = []

    def keep(self, progress: Progress) -> None:
        """Write the state, with a look at the clock."""
        started = time.perf_counter()
        super().keep(progress)
        self.seconds.append(time.perf_counter() - started)
        self.sizes.append(self.file.stat().st_size)


def main() -> None:
    """Print seconds with and without, the share, and what is written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=STAGES, default=[*STAGES])
    arguments = parser.parse_args()
    params = build(texts(), [arguments.recipe])
    published = build(texts(), ["iics", "market1501"])
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("params.yaml").write_text(params)
        intra.WEIGHTS.mkdir(parents=True)
        (intra.WEIGHTS / "none").touch()
        for stage in (synthesize, unzip, split):
            stage.main()
        for name in arguments.only:
            compare(name, arguments.repeats)
        Path("params.yaml").write_text(published)
        published_state()


def compare(name: str, repeats: int) -> None:
    """Train a stage with and without keeping, in turn, and print the medians."""
    kept, unkept, checks = [], [], []
    for _ in range(repeats):
        unkept.append(seconds(lambda: train(name, kept=False)))
        Measured.sizes.clear()
        Measured.seconds.clear()
        with timed_phases(CHECKS) as clock:
            kept.append(seconds(lambda: train(name, kept=True)))
        checks.append(clock.taken()["checks"])
    plain, with_state = statistics.median(unkept), statistics.median(kept)
    writing, num = sum(Measured.seconds), len(Measured.seconds)
    print(f"{name}: without {plain:.2f} s ({spread(unkept)})")
    print(f"{name}: kept    {with_state:.2f} s ({spread(kept)})")
    print(f"{name}: costs   {100 * (with_state / plain - 1):+.1f} %")
    size, share = max(Measured.sizes) / MB, 100 * writing / with_state
    print(f"{name}: {num} states of {size:.1f} MB: {writing:.2f} s, {share:.1f} %")
    checking = statistics.median(checks)
    share = 100 * checking / with_state
    print(f"{name}: checks {checking:.3f} s, {share:.2f} %")


def train(name: str, *, kept: bool) -> None:
    """Run a stage; the state lies where its results do."""
    stage, start = STAGES[name]
    p = read_params(Path("params.yaml"), stage.Params)
    device = start_device(p.compute)
    if not kept:
        stage.train(p, device, Unkept())
        return
    with kept_run(name, p, [*stage.DATA, start], device, stage.RESULT) as run:
        stage.train(p, device, Measured(run.file.parent))


def published_state() -> None:
    """Print what the state of IICS on Market-1501 takes, in its first round."""
    p = read_params(Path("params.yaml"), intra.Params)
    network = Network(p.model, CAMERAS)
    size = network.feature_size
    neck = p.model.neck == "head"
    heads = {camid: Head(size, CLUSTERS, p.head, neck) for camid in CAMERAS}
    progress = Progress(network)
    labels = torch.zeros(NUM_IMAGES, dtype=torch.int32).numpy()
    at = Position("intra", 0, 1, stream=1)
    progress.clusters(at, lambda: Clusters(labels, heads))
    phase = Phase(network, heads.values(), p.optim, lr=p.intra.lr, num_epochs=2)
    everything = [p for g in phase.optimizer.param_groups for p in g["params"]]
    phase.run_epoch(0, [labels[:1]], lambda _: sum(p.sum() for p in everything))
    progress.begin(phase)
    progress.rounds[-1][1].epochs.append(Epoch(0.0, 0.0, 0, 0, 0.0))
    run = KeptRun(Path(".runs/published"))
    writing = statistics.median(seconds(lambda: run.keep(progress)) for _ in range(3))
    data = run.file.read_bytes()
    plain = seconds(lambda: write_bytes(Path("plain"), data))
    print(f"ResNet-50 with SGD: {len(data) / MB:.0f} MB in {writing:.2f} s;")
    print(f"its bytes alone, written and synced, take {plain:.2f} s")


def seconds(run: Callable[[], object]) -> float:
    """Return how long something takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def spread(times: list[float]) -> str:
    """Return the fastest and the slowest."""
    return f"{min(times):.2f} to {max(times):.2f}"


if __name__ == "__main__":
    main()
