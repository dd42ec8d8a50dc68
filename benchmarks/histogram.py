"""How far colour alone goes: stripe histograms as features, on the synthetic worlds.

Run ``python -m benchmarks.histogram``: one row per dataset seed. A trained network has
to beat these numbers to have learned more than the colours of clothes.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from crosscam.params import read_params
from crosscam.rank.feature_set import FeatureSet
from crosscam.rank.match import match_features
from crosscam.rank.score import score
from crosscam.synthetic.plan import Shot, World, plan_shots
from crosscam.synthetic.render import population, render_shot
from stages import synthesize

DEFAULT = Path("recipes/default.yaml")
NUM_STRIPES = 6
NUM_BINS = 8
# The middle 3/8 of the width is nearly all person. The histogram of the whole width is
# 3 times worse across cameras: it matches backgrounds.
MARGIN = 5 / 16


def histogram_features(
    images: NDArray[np.uint8], camids: NDArray[np.int64], normalise: bool
) -> NDArray[np.float32]:
    """Return the roots of RGB and HSV histograms of six horizontal stripes.

    The inner product of two rows is the Bhattacharyya coefficient of the histograms
    (or, normalised, the correlation of their deviations from their cameras' means).

    Parameters
    ----------
    images
        ndarray of shape (num_images, height, width, 3).
    camids
        Shape (num_images,).
    normalise
        Give the colours of all cameras one mean and standard deviation per channel,
        and all bins of the histograms too: the strongest correction we found that
        needs no identities.

    Returns
    -------
    ndarray of shape (num_images, 288)
        Rows of Euclidean length 1.
    """
    width = images.shape[2]
    margin = round(width * MARGIN)
    middle = images[:, :, margin : width - margin].astype(np.float32) / 255
    if normalise:
        middle = np.clip(0.5 + 0.22 * standardised(middle, camids, (0, 1, 2), 0), 0, 1)
    features = np.sqrt(np.array([stripe_histograms(image) for image in middle]))
    if normalise:
        features = standardised(features, camids, (0,), 0.01)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return (features / lengths).astype(np.float32)


def standardised(
    values: NDArray[np.float32],
    camids: NDArray[np.int64],
    axes: tuple[int, ...],
    floor: float,
) -> NDArray[np.float32]:
    """Return values with mean 0 and deviation 1 (less with `floor`) per camera."""
    result = np.empty_like(values)
    for camid in np.unique(camids):
        rows = camids == camid
        mean = values[rows].mean(axes, keepdims=True)
        deviation = values[rows].std(axes, keepdims=True)
        result[rows] = (values[rows] - mean) / (deviation + floor)
    return result


def stripe_histograms(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return histograms of an RGB image on [0, 1]: they sum to 1 over all stripes."""
    hsv = Image.fromarray((image * 255).astype(np.uint8)).convert("HSV")
    channels = np.concatenate([image * 255, np.asarray(hsv)], axis=2)  # (h, w, 6)
    bins = np.minimum(channels.astype(np.int64) * NUM_BINS // 256, NUM_BINS - 1)
    bins += NUM_BINS * np.arange(6)
    counts = [
        np.bincount(stripe.ravel(), minlength=6 * NUM_BINS)
        for stripe in np.array_split(bins, NUM_STRIPES)
    ]
    return (np.concatenate(counts) / bins.size).astype(np.float32)


def within_camera_rank1(
    features: NDArray[np.float32], pids: NDArray[np.int64], camids: NDArray[np.int64]
) -> float:
    """Return how often the nearest other image of a camera shows the same person."""
    similarity = features @ features.T
    similarity[camids[:, None] != camids] = -2
    np.fill_diagonal(similarity, -2)
    is_person = pids > 0
    nearest = pids[similarity.argmax(axis=1)]
    return float(np.mean(nearest[is_person] == pids[is_person]))


def images_of(world: World, shots: list[Shot]) -> NDArray[np.uint8]:
    """Return the decoded images of shots, shape (num_shots, 128, 64, 3)."""
    people = population(world)
    files = (io.BytesIO(render_shot(world.seed, shot, people)) for shot in shots)
    return np.stack([np.asarray(Image.open(file)) for file in files])


def row_of(world: World) -> list[float]:
    """Return mAP and rank-1, raw and normalised, and rank-1 within cameras."""
    shots = [shot for shot in plan_shots(world) if shot.subset != "train"]
    images = images_of(world, shots)
    pids = np.array([shot.pid for shot in shots])
    camids = np.array([shot.camid for shot in shots])
    is_query = np.array([shot.subset == "query" for shot in shots])
    row = []
    for normalise in (False, True):
        features = histogram_features(images, camids, normalise)
        query, gallery = (
            FeatureSet(features[part], pids[part], camids[part])
            for part in (is_query, ~is_query)
        )
        matches = match_features(query, gallery, chunk_size=len(features))
        scores = score(matches.query, matches.wrong)
        row += [float(scores.ap.mean()), float(np.mean(scores.first == 1))]
    return [*row, within_camera_rank1(features, pids, camids)]


def main() -> None:
    """Print the table."""
    default = read_params(DEFAULT, synthesize.Params).synthesize
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--cameras", type=int, default=default.cameras)
    arguments = parser.parse_args()
    world = replace(default, cameras=arguments.cameras)
    print("seed   raw mAP  rank-1   normalised mAP  rank-1   within a camera rank-1")
    rows = []
    for seed in range(arguments.seeds):
        rows.append(row_of(replace(world, seed=seed)))
        print_row(str(seed), rows[-1])
    print_row("mean", np.mean(rows, axis=0).tolist())


def print_row(name: str, row: list[float]) -> None:
    """Print one row of the table, in percent."""
    cells = (
        f"{100 * value:{width}.1f}" for value, width in zip(row, WIDTHS, strict=True)
    )
    print(f"{name:>4s}", *cells, flush=True)


WIDTHS = (9, 7, 16, 7, 24)

if __name__ == "__main__":
    main()
