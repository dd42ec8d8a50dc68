"""Features as hard to tell apart as those of a trained network, from fixed seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.hot.path import Arrays

DIM = 768
LATENT = 64  # directions in which people, poses and cameras differ
CAMERA, POSE, NOISE = 0.45, 0.95, 0.5  # sizes beside that of a person
MARKET = (751, 6)  # people and cameras of a training set
MSMT = (1041, 15)


def features(
    pids: NDArray[np.int64], camids: NDArray[np.int64], seed: int
) -> NDArray[np.float32]:
    """Return a person's vector plus the camera's, a pose's and noise, of length 1.

    Parameters
    ----------
    pids
        (num_images,), from 0; equal numbers are one person.
    camids
        (num_images,), from 0.
    seed
        Of all draws.
    """
    rng = np.random.default_rng(seed)
    people, cameras, poses = (
        rng.standard_normal((count, LATENT), np.float32)
        for count in (pids.max() + 1, camids.max() + 1, len(pids))
    )
    latent = people[pids] + CAMERA * cameras[camids] + POSE * poses
    basis = rng.standard_normal((LATENT, DIM), np.float32) / np.float32(LATENT**0.5)
    result: NDArray[np.float32] = latent @ basis
    result += np.float32(NOISE) * rng.standard_normal(result.shape, np.float32)
    result /= np.linalg.norm(result, axis=1, keepdims=True)
    return result


def training_features(num_images: int, *, msmt: bool = False) -> NDArray[np.float32]:
    """Return features of a training set, of as many people as it has images for."""
    of_all, num_cameras = MSMT if msmt else MARKET
    per_person = 31 if msmt else 17
    num_people = min(of_all, max(2, num_images // per_person))
    rng = np.random.default_rng(1)
    pids = np.arange(num_images) % num_people
    return features(pids, rng.integers(num_cameras, size=num_images), seed=2)


def query_and_gallery(num_query: int, num_gallery: int) -> Arrays:
    """Return features, pids and camids of a query and a gallery.

    Market-1501 up to its size (750 people, 6 cameras, a sixth of the gallery shows
    nobody), MSMT17 above (3,060 people, 15 cameras).
    """
    large = num_query > 3368
    rng = np.random.default_rng(3)
    num_images = num_query + num_gallery
    num_people = min(3060 if large else 750, max(2, num_query // 4))
    pids = 1 + rng.integers(num_people, size=num_images)
    camids = rng.integers(15 if large else 6, size=num_images)
    looks = pids.copy()
    if not large:
        distractors = num_query + np.flatnonzero(rng.random(num_gallery) < 0.176)
        pids[distractors] = 0
        looks[distractors] = num_people + 1 + np.arange(len(distractors))
    found = features(looks, camids, seed=4)
    query, gallery = slice(num_query), slice(num_query, None)
    arrays: dict[str, NDArray[Any]] = {"query": found[query], "gallery": found[gallery]}
    for name, values in (("pids", pids), ("camids", camids)):
        arrays |= {f"q_{name}": values[query], f"g_{name}": values[gallery]}
    return arrays


def distances(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return cosine distances of all pairs, as plain float32 products give them."""
    result = np.empty((len(first), len(second)), np.float32)
    for start in range(0, len(first), 2048):  # larger products can crash OpenBLAS
        rows = slice(start, start + 2048)
        np.matmul(first[rows], second.T, out=result[rows])
        np.subtract(1, result[rows], out=result[rows])
    return np.maximum(result, 0, out=result)
