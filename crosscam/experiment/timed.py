"""What one pass of each kind takes on this machine, with a run's own network."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from crosscam.cluster.cameras import inter_pseudo_labels
from crosscam.experiment.needs import Passes
from crosscam.model.heads import Head
from crosscam.model.network import Network
from crosscam.train.devices import device_of
from crosscam.train.features import raw_features, styled_features
from crosscam.train.inter import InterParams
from crosscam.train.measure import measure_norms, measure_styles
from crosscam.train.optimise import Phase
from crosscam.train.rounds import Setting, TrainingSet, views_of

NUM_CLUSTERED = 1000


@dataclass(frozen=True)
class Costs:
    """What was found.

    Parameters
    ----------
    seconds
        Of one image, view or pair in each kind of pass.
    step_bytes
        Kept per view in a training step for its backward pass.
    pair_bytes
        Of memory per pair of images while they are clustered.
    """

    seconds: Passes
    step_bytes: float
    pair_bytes: float


def timed_costs(
    network: Network,
    setting: Setting,
    inter: InterParams,
    num_images: int,
    num_scores: int,
) -> Costs:
    """Time each kind of pass on noise.

    Parameters
    ----------
    network
        Random weights will do; is trained a little. With styles, of all cameras.
    setting, inter
        Parameters of the run.
    num_images
        That each pass takes: the more, the closer to full batches, and the slower.
    num_scores
        Of an image by all heads, which are compared between any two images: most of
        the time of clustering where there are thousands.
    """
    size = setting.compute.batch_size
    images = _noise(network, num_images)
    measure_norms(network, images)
    device = device_of(network)
    head = Head(network.feature_size, 2 * num_images, setting.head, neck=False)
    phase = Phase(network, [head.to(device)], setting.optim, lr=1e-9, num_epochs=1)
    rows = np.arange(num_images)

    def loss_of(rows: np.ndarray) -> Tensor:
        draws = torch.Generator().manual_seed(0)
        views = views_of(network, images, rows, setting, draws, two=False)
        return torch.as_tensor(head(views.first).logsumexp(1).mean())

    network.train()
    kept = saved_bytes(lambda: loss_of(rows)) / num_images
    trained = _seconds(lambda: phase.run_epoch(0, [rows], loss_of))
    plain = _seconds(lambda: raw_features(network, images.pixels, size))
    pixels, camids = images
    styled = _seconds(lambda: styled_features(network, pixels, camids, size, {}))
    measured = _seconds(lambda: measure_styles(network, images, size))
    pairs, pair_bytes = _clustering(network.feature_size, inter, num_scores)
    of_all = Passes(trained, plain, styled, measured)
    seconds = Passes(pairs=pairs).plus(of_all, 1 / num_images)
    return Costs(seconds, kept, pair_bytes)


def saved_bytes(run: Callable[[], Tensor]) -> int:
    """Return the bytes that autograd keeps for the backward pass of what is run."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = run()
    del loss
    return sum(kept.values())


def _noise(network: Network, num_images: int) -> TrainingSet:
    rng = np.random.default_rng(0)
    shape = (num_images, 3, *network.architecture.image_size)
    pixels = torch.from_numpy(rng.integers(0, 256, shape, np.uint8))
    camids = np.array(network.styles.camids if network.styles else [0])
    return TrainingSet(pixels, np.resize(camids, num_images).astype(np.int64))


def _seconds(run: Callable[[], object]) -> float:
    """Return how long the faster of two runs took; the first one warms up."""
    took = []
    for _ in range(2):
        started = time.perf_counter()
        run()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        took.append(time.perf_counter() - started)
    return min(took)


def _clustering(dim: int, inter: InterParams, num_scores: int) -> tuple[float, float]:
    """Return seconds and bytes per pair of images that are clustered together."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((NUM_CLUSTERED, dim), np.float32)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    scores = rng.dirichlet(np.ones(num_scores), NUM_CLUSTERED).astype(np.float32)
    camids = np.zeros(NUM_CLUSTERED, np.int64)

    def run() -> object:
        return inter_pseudo_labels(
            *(features, scores, camids, inter.rerank, inter.clusters),
            num_heads=1,
            mixing_weight=inter.mix.weight,
        )

    seconds = _seconds(run)
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds / NUM_CLUSTERED**2, peak / NUM_CLUSTERED**2
