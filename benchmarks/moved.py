"""How far two runs of the same parameters are apart.

Not a program of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics.cluster import contingency_matrix

from crosscam.files import read_npz


def features_moved(one: Path, other: Path) -> float:
    """Return the largest difference between two runs' features of test images."""
    arrays = [read_npz(folder / "data/features.npz") for folder in (one, other)]
    names = ("query", "gallery")
    return max(float(np.abs(arrays[0][n] - arrays[1][n]).max()) for n in names)


def mAP_moved(one: Path, other: Path) -> float:
    """Return by how much the second run's mAP is higher, as a fraction."""
    found = [
        json.loads((f / "metrics/evaluate.json").read_text()) for f in (one, other)
    ]
    return float(found[1]["mAP"] - found[0]["mAP"])


def labels_moved(one: Path, other: Path) -> float:
    """Return `relabelled` of the last round's pseudo labels."""
    arrays = [read_npz(folder / "data/pseudo/inter.npz") for folder in (one, other)]
    return relabelled(arrays[0]["labels"][-1], arrays[1]["labels"][-1])


def relabelled(one: NDArray[np.integer], other: NDArray[np.integer]) -> float:
    """Return the fraction of images in another cluster, whatever the clusters' numbers.

    Clusters are paired so that as many images as possible stay in theirs.
    """
    table = contingency_matrix(one, other)
    pairs = linear_sum_assignment(table, maximize=True)
    return 1 - float(table[pairs].sum()) / len(one)
