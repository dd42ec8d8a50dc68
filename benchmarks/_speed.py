"""Images per second of a network, and the most that a device could do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks._phases import now
from crosscam.data.augment import normalise
from crosscam.experiment.timed import saved_bytes
from crosscam.model.network import Network
from crosscam.train.devices import device_of
from crosscam.train.features import raw_features
from crosscam.train.inter import clusters_of, train_on
from crosscam.train.optimise import Phase
from crosscam.train.progress import Position, Progress
from crosscam.train.rounds import TrainingSet

SIDE = {"cuda": 8192, "cpu": 1024}  # of the matrices that are multiplied
COPIED = {"cuda": 2**30, "cpu": 2**26}  # bytes


class Peaks(NamedTuple):
    """Of a device, measured: operations and bytes (read and written) per second."""

    operations: float
    bytes: float


class Bounds(NamedTuple):
    """The most images per second, by products and by memory, of training and passes."""

    training: tuple[float, float]
    extraction: tuple[float, float]


class Speed(NamedTuple):
    """Images per second; one trained image is two views where a second one learns."""

    training: float
    extraction: float
    watched: str

    def lines(self, limits: Bounds) -> list[str]:
        """Return what was found beside the limits."""
        rows = []
        for name in ("training", "extraction"):
            found, (products, memory) = getattr(self, name), getattr(limits, name)
            share = 100 * found / min(products, memory)
            rows.append(
                f"  {name:10} {found:8.0f} images/s, {share:.0f} % of the roofline: "
                f"{products:.0f} by products, {memory:.0f} by memory"
            )
        if self.watched:
            rows.append(f"  {self.watched} (set_sync_debug_mode)")
        return rows


def speed(network: Network, images: TrainingSet, p: Any, steps: int) -> Speed:
    """Train for some steps and extract as many images, each once to warm up.

    On a GPU a third time under torch's watch, which tells where a step waits.

    Raises
    ------
    OutOfMemoryError
        If the GPU's memory will not do.
    """
    num_pids, each = p.inter.num_pids_per_batch, p.inter.num_instances
    num = min(len(images.pixels), steps * num_pids * each)
    few = TrainingSet(images.pixels[:num], images.camids[:num])
    labels = (np.arange(num) // each).astype(np.int32)
    raw = torch.zeros(num, network.feature_size, device=device_of(network))
    clusters = clusters_of(network, raw, labels, p)
    inter = replace(p.inter, epochs=2)
    at = Position("inter", 0, 1, stream=9)

    def trained() -> float:
        progress = Progress(network)
        progress.clusters(at, lambda: clusters)
        done = train_on(network, clusters, few, inter, p, at, progress)
        return done.epochs[-1].images_per_second

    training, watched = trained(), ""
    if raw.is_cuda:
        try:
            with unwaiting():
                trained()
            watched = "no step waited for the GPU"
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            watched = f"a step waited for the GPU: {error}"
    size = p.compute.batch_size
    extraction = num / seconds(lambda: raw_features(network, few.pixels, size))
    return Speed(training, extraction, watched)


@contextmanager
def unwaiting() -> Iterator[None]:
    """Let torch raise an error where a step of training waits for the GPU."""
    original = Phase.run_epoch

    def run_epoch(self: Phase, number: int, batches: list, loss_of: Callable) -> object:
        def watched(rows: np.ndarray) -> Tensor:
            torch.cuda.set_sync_debug_mode("error")
            return loss_of(rows)

        hook = self.optimizer.register_step_post_hook(
            lambda *_: torch.cuda.set_sync_debug_mode("default")
        )
        try:
            return original(self, number, batches, watched)
        finally:
            hook.remove()
            torch.cuda.set_sync_debug_mode("default")

    Phase.run_epoch = run_epoch
    try:
        yield
    finally:
        Phase.run_epoch = original


def seconds(run: Callable[[], object]) -> float:
    """Return how long the second of two runs took."""
    for _ in range(2):
        started = now()
        run()
        took = now() - started
    return took


def peaks(device: torch.device, precision: str) -> Peaks:
    """Measure products of large matrices, and copies, on a device."""
    side, size = SIDE[device.type], COPIED[device.type]
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = torch.randn(2, side, side, device=device, dtype=dtype)
    much = torch.zeros(size, dtype=torch.uint8, device=device)
    other = torch.empty_like(much)
    product = min(seconds(lambda: a @ b) for _ in range(5))
    copy = min(seconds(lambda: other.copy_(much)) for _ in range(5))
    return Peaks(2 * side**3 / product, 2 * size / copy)


def bounds(network: Network, images: TrainingSet, p: Any, found: Peaks) -> Bounds:
    """Return the limits of a network on a device of these peaks.

    An image is extracted with its mirror image. A view is trained by three passes: one
    forward, two backward. What the backward pass needs is written once and read once;
    extraction writes and reads at least the same maps.
    """
    views = 1 + (p.distil.cross_entropy > 0 or p.distil.triplet > 0)
    device = device_of(network)
    pixels = images.pixels[:8].to(device)
    batch = normalise(pixels, network.mean, network.std)
    network.train()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(batch)
    operations = counter.get_total_flops() / len(batch)
    kept = saved_bytes(lambda: network.train()(batch).sum()) / len(batch)

    def limits(passes: int, times: int) -> tuple[float, float]:
        by_memory = found.bytes / (2 * kept * times)
        return found.operations / (passes * operations), by_memory

    return Bounds(limits(3 * views, views), limits(2, 2))


def peak_bytes(device: torch.device) -> int:
    """Return the most that tensors took on a GPU since the reset; 0 elsewhere."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0


def reset_peak_bytes(device: torch.device) -> None:
    """Let `peak_bytes` count from now on."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
