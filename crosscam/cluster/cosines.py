"""Cosines of chosen pairs of images, the same on every machine."""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from crosscam.kernel import kernel


@kernel
def pair_cosines(
    features: NDArray[np.float32],
    images: NDArray[np.int64],
    starts: NDArray[np.int64],
    others: NDArray[np.int32],
    cosines: NDArray[np.float64],
) -> None:
    """Write the cosines of images with those of their rows of a sparse matrix.

    Products of two single precision numbers are exact in double precision; they are
    added in the order of the dimensions. So copies have equal cosines, and both
    directions too, whatever the machine and the threads.

    Parameters
    ----------
    features
        (num_images, dim), L2-normalised.
    images
        (num_rows,), the image of each row.
    starts
        (num_rows + 1,), where each row begins in `others`, and its end.
    others
        (num_pairs,), the images that it is compared with.
    cosines
        (num_pairs,), is written to.
    """
    dim = features.shape[1]
    for row in prange(len(images)):
        x = features[images[row]]
        end = starts[row + 1]
        # Four at a time: each addition waits for the one before it. Twice as fast.
        fours = end - (end - starts[row]) % 4
        for place in range(starts[row], fours, 4):
            p, q = features[others[place]], features[others[place + 1]]
            r, s = features[others[place + 2]], features[others[place + 3]]
            a = b = c = d = 0.0
            for k in range(dim):
                value = np.float64(x[k])
                a += value * np.float64(p[k])
                b += value * np.float64(q[k])
                c += value * np.float64(r[k])
                d += value * np.float64(s[k])
            cosines[place], cosines[place + 1] = a, b
            cosines[place + 2], cosines[place + 3] = c, d
        for place in range(fours, end):
            p = features[others[place]]
            a = 0.0
            for k in range(dim):
                a += np.float64(x[k]) * np.float64(p[k])
            cosines[place] = a
