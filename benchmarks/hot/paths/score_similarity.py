"""Jaccard similarity of score vectors: a softmax of 600 classes for each camera."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.hot.agree import close
from benchmarks.hot.path import Arrays, Case, Goal, Implementation, Path
from crosscam.cluster.scores import score_similarities

ROWS = 2048  # of which the peers compare all pairs
SPREAD = 3.0  # of the logits


def inputs(num: int, num_cameras: int, num_classes: int) -> Arrays:
    """Return score vectors, a softmax per camera side by side."""
    rng = np.random.default_rng(5)
    scores = np.empty((num, num_cameras, num_classes), np.float32)
    for i in range(num):  # one by one: exponentials of all would be a second copy
        weights = np.exp(SPREAD * rng.standard_normal(scores[i].shape, np.float32))
        scores[i] = weights / weights.sum(axis=1, keepdims=True)
    return {"scores": scores.reshape(num, -1)}


def ours(arrays: Arrays, _: int, num_cameras: int, *__: int) -> Callable[[], Arrays]:
    """Start ours."""
    scores = arrays["scores"]
    return lambda: {"matrix": score_similarities(scores, num_cameras)}


def similarities(far: NDArray[np.floating], num_cameras: int) -> Arrays:
    """Return ``(2C - L1) / (2C + L1)``."""
    near = (2 * num_cameras - far) / (2 * num_cameras + far)
    return {"matrix": near.astype(np.float32)}


def scikit_learn(
    arrays: Arrays, _: int, num_cameras: int, *__: int
) -> Callable[[], Arrays]:
    """Start scikit-learn's Manhattan distances, on two threads."""
    from sklearn.metrics import pairwise_distances

    rows = arrays["scores"][:ROWS]
    return lambda: similarities(
        pairwise_distances(rows, metric="manhattan", n_jobs=2), num_cameras
    )


def scipy(arrays: Arrays, _: int, num_cameras: int, *__: int) -> Callable[[], Arrays]:
    """Start scipy's city block distances."""
    from scipy.spatial.distance import cdist

    rows = arrays["scores"][:ROWS]
    return lambda: similarities(cdist(rows, rows, "cityblock"), num_cameras)


def torch(arrays: Arrays, _: int, num_cameras: int, *__: int) -> Callable[[], Arrays]:
    """Start torch's L1 distances."""
    from torch import cdist, from_numpy

    rows = from_numpy(arrays["scores"][:ROWS])
    return lambda: similarities(cdist(rows, rows, p=1).numpy(), num_cameras)


def part(num: int, *_: int) -> float:
    """Return the part of all pairs that the peers compare."""
    return (min(ROWS, num) / num) ** 2


OF = f"{ROWS:,}² pairs"

PATH = Path(
    title="similarity of score vectors",
    inputs=inputs,
    ours=Implementation("crosscam", ours),
    peers={
        "scikit-learn": Implementation(
            f"scikit-learn manhattan, {OF}", scikit_learn, tolerance=1e-6, part=part
        ),
        "scipy": Implementation(
            f"scipy cityblock, {OF}", scipy, tolerance=1e-6, part=part
        ),
        "torch": Implementation(f"torch.cdist, {OF}", torch, tolerance=1e-5, part=part),
    },
    agreement=close,
    cases=(
        Case(
            "12,936 × 3,600",
            (12_936, 6, 600),
            {"scikit-learn": Goal(wall=15, seconds=12, growth=900)},
        ),
        Case(
            "30,248 × 9,000",
            (30_248, 15, 600),
            {"scikit-learn": Goal(wall=15, seconds=300)},
        ),
    ),
    quick=(500, 6, 100),
    warm=lambda *_: (100, 6, 20),
)
