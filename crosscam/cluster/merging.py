"""The loops of average linkage: merging clusters in a matrix of distances.

Each cluster has a row, given by `rows`, whose first entries are its distances to all
clusters in the order of `rows`, +inf to itself. Merged, it goes on in the row of its
first part, and all rows are squeezed to the left. A task touches its own parts' rows
only. An entry and its mirror image are the same sums, so they stay equal to the bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange
from numpy.typing import NDArray

from crosscam.kernel import helper, kernel

BLOCK = 512  # columns looked through at once: 2 kB
LAST = np.int32(np.iinfo(np.int32).max)

Distances = NDArray[np.float32]
Integers = NDArray[np.int64]
Shares = NDArray[np.float64]
Flags = NDArray[np.bool_]


@helper
def nearest_of(row: Distances, own: int) -> Any:
    """Return the column of the least distance; of equal ones the least XOR with `own`.

    XOR is the same from both sides of a pair, and no two columns give the same. So
    there always is a reciprocal pair, that of the least XOR among the least distances;
    and m equal clusters are paired at once, 0 with 1, 2 with 3, but for an odd one.
    """
    # Bits of non-negative floats are in their order; min of integers goes 8 at a time.
    bits = row.view(np.int32)
    least, key = LAST, LAST
    for start in range(0, len(bits), BLOCK):
        block = bits[start : start + BLOCK]
        low = LAST
        for j in range(len(block)):
            low = min(low, block[j])
        if low > least:
            continue
        if low < least:
            least, key = low, LAST
        for j in range(len(block)):
            other = np.int32(np.int32(start + j) ^ np.int32(own))
            key = min(key, other if block[j] == least else LAST)
    return key ^ np.int32(own)


@kernel
def fill_nearest(distances: Distances, nearest: Integers) -> None:
    """Set the diagonal to +inf and find each row's nearest."""
    for i in prange(len(distances)):
        distances[i, i] = np.inf
        nearest[i] = nearest_of(distances[i], i)


@kernel
def merge_pairs(
    distances: Distances,
    parts: Integers,
    part_shares: Shares,
    pairs: Integers,
    pair_shares: Shares,
    left: Integers,
    width: int,
    nearest: Integers,
) -> None:
    """Merge pairs of clusters, drop others, and find the nearest of those left.

    Parameters
    ----------
    distances
        Of `width` clusters.
    parts, part_shares
        (2, num_left), rows of which each is made, the same twice if it does not merge,
        and their shares in its images.
    pairs, pair_shares
        (2, num_pairs), columns that merge, and their shares.
    left
        (num_left,), the columns that stay, ascending; of a pair the first.
    width
        Clusters before.
    nearest
        (num_left,), is filled.
    """
    # Indices without a sign: numba need not look whether they count from the end.
    merging, staying = pairs.astype(np.uint32), left.astype(np.uint32)
    for c in prange(len(left)):
        row, other = distances[parts[0, c], :width], distances[parts[1, c], :width]
        own = part_shares[0, c], part_shares[1, c]
        merged = np.empty(width, np.float32)
        if parts[0, c] == parts[1, c]:
            _merge_columns(row, merging, pair_shares, merged)
        else:
            _merge_rows((row, other), own, merging, pair_shares, merged)
        for k in range(len(staying)):
            row[k] = merged[staying[k]]
        row[c] = np.inf
        nearest[c] = nearest_of(row[: len(staying)], c)


@helper
def _merge_columns(row: Distances, pairs: Any, of: Shares, merged: Distances) -> None:
    # Read in order before at random, a row is in the cache: 1.5 against 7 ns a pair.
    for k in range(len(row)):
        merged[k] = row[k]
    for k in range(pairs.shape[1]):
        i, j = pairs[0, k], pairs[1, k]
        merged[i] = of[0, k] * row[i] + of[1, k] * row[j]


@helper
def _merge_rows(rows: Any, own: Any, pairs: Any, of: Shares, merged: Distances) -> None:
    (row, other), (a, b) = rows, own
    for k in range(len(row)):
        merged[k] = a * row[k] + b * other[k]
    for k in range(pairs.shape[1]):
        i, j = pairs[0, k], pairs[1, k]
        p, q = of[0, k], of[1, k]
        straight = (a * p) * row[i] + (b * q) * other[j]
        crossed = (a * q) * row[j] + (b * p) * other[i]
        merged[i] = straight + crossed


@kernel
def merge_chain(
    distances: Distances,
    rows: Integers,
    sizes: Shares,
    is_open: Flags,
    limit: float,
    merges: Integers,
    heights: Distances,
) -> int:
    """Merge clusters that are nearer than the limit, one pair at a time.

    From a cluster to its nearest, to the nearest of that one, and so forth, until two
    are each other's nearest and merge; what led to them stays a chain (Murtagh 1983).
    Along it distances fall, or the XOR does: at most three steps a cluster.

    Parameters
    ----------
    distances, rows, sizes
        Of num_clusters clusters. Sizes, (num_clusters,), are overwritten.
    is_open, limit
        (num_clusters,), whether the nearest is below the limit. It is overwritten.
    merges, heights
        (2, num_clusters) and (num_clusters,), are filled: rows, and their distances.

    Returns
    -------
    int
        Number of merges; -1 if a chain does not end, as distances are not symmetric.
    """
    num = len(rows)
    chain = np.zeros(num, np.int64)  # zeros: numba warns if nothing runs in parallel
    start, length, count = 0, 0, 0
    while start < num:
        if length == 0 and not is_open[start]:
            start += 1
            continue
        if length == 0:
            chain[0], length = start, 1
        tip, last = chain[length - 1], chain[max(length - 2, 0)]
        row = distances[rows[tip], :num]
        nearest = nearest_of(row, tip)
        if length == 1 and not row[nearest] < limit:
            is_open[tip], length = False, 0
        elif length > 1 and nearest == last:
            a, b = min(tip, last), max(tip, last)
            merges[0, count], merges[1, count] = rows[a], rows[b]
            heights[count] = row[last]
            _merge_pair(distances, rows, sizes, is_open, a, b)
            count, length = count + 1, length - 2
        elif length == num:
            return -1
        else:
            chain[length], length = nearest, length + 1
    return count


@helper
def _merge_pair(
    distances: Distances, rows: Integers, sizes: Shares, is_open: Flags, a: int, b: int
) -> None:
    row, other = distances[rows[a], : len(rows)], distances[rows[b], : len(rows)]
    size = sizes[a] + sizes[b]
    p, q = sizes[a] / size, sizes[b] / size
    sizes[a], is_open[b] = size, False
    for c in range(len(rows)):
        row[c] = p * row[c] + q * other[c]
    row[a] = row[b] = np.inf
    for c in range(len(rows)):
        if is_open[c]:
            distances[rows[c], a], distances[rows[c], b] = row[c], np.inf
