"""Ways in which results can agree."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.hot.path import Agreement, Arrays

ROWS = 1024


def close(ours: Arrays, peer: Arrays, tolerance: float) -> Agreement:
    """Compare two matrices, or as much of ours as the peer computed."""
    first, second = ours["matrix"], peer["matrix"]
    rows, columns = second.shape
    largest, beyond = 0.0, 0
    for start in range(0, rows, ROWS):
        block = slice(start, min(start + ROWS, rows))
        apart = np.abs(first[block, :columns] - second[block])
        largest = float(np.maximum(largest, apart.max()))
        beyond += int((~(apart <= tolerance)).sum())
    return difference(largest, beyond, second.size, tolerance)


def difference(largest: float, beyond: int, num: int, tolerance: float) -> Agreement:
    """Say what the largest difference is, and how many there are of those too large."""
    if largest == 0 and not beyond:
        return Agreement("identical", holds=True)
    if not beyond:
        return Agreement(f"max {largest:.1e}", holds=True)
    return Agreement(
        f"max {largest:.1e}; {beyond:,} of {num:,} above {tolerance:g}", holds=False
    )


def symmetrised(matrix: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the mean of both directions, 0 from an image to itself."""
    result = (matrix + matrix.T) / 2
    np.fill_diagonal(result, 0)
    return result


def same_partition(ours: Arrays, peer: Arrays, tolerance: float) -> Agreement:  # noqa: ARG001
    """Compare two clusterings, whatever the clusters are called; -1 is noise."""
    first, second = (numbered(arrays["labels"]) for arrays in (ours, peer))
    moved = int((first != second).sum())
    num = len({*first.tolist()} - {-1})
    if not moved:
        return Agreement(f"same {num:,} clusters", holds=True)
    return Agreement(f"{moved:,} of {len(first):,} labels differ", holds=False)


def numbered(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return labels numbered by first appearance, but for -1."""
    names, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    ranks = np.empty(len(names), np.int64)
    ranks[np.argsort(first)] = np.arange(len(names))
    result: NDArray[np.integer] = np.where(labels == -1, -1, ranks[inverse])
    return result


def same_metrics(ours: Arrays, peer: Arrays, tolerance: float) -> Agreement:
    """Compare mAP over the queries that the peer scored, and its other metrics.

    A peer in double precision must come to the same AP for each query; those in single
    precision sort ties by chance.
    """
    num = len(peer["ap"])
    texts, holds = [], True
    for name in ("ap", "inp", "cmc"):
        if name not in peer:
            continue
        other = peer[name].astype(np.float64)
        own = ours[name][: len(other)]
        apart = abs(own - other).max() if name == "cmc" else own.mean() - other.mean()
        holds &= bool(abs(apart) <= tolerance)
        texts.append(
            f"{ {'ap': 'mAP', 'inp': 'mINP', 'cmc': 'CMC'}[name] } {apart:.0e}"
        )
    largest = float(np.abs(ours["ap"][:num] - peer["ap"]).max())
    if peer["ap"].dtype == np.float64:
        holds &= largest <= tolerance
    return Agreement(f"{', '.join(texts)}; one AP {largest:.0e}", holds)
