"""k-reciprocal Jaccard distances (re-ranked distances), in the place of the distances.

The published code holds some four dense N × N matrices. Here the only one is the
input. It is read once for the nearest neighbours, and once more while the result is
written over it.

References
----------
Zhong, Zheng, Cao, Li: Re-ranking person re-identification with k-reciprocal encoding,
CVPR 2017, sections 3.2 to 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from crosscam.cluster.distances import Distances
from crosscam.cluster.mixing import mix_all
from crosscam.cluster.nearest import nearest_and_largest
from crosscam.cluster.reciprocal import expanded_sets, expanded_vectors
from crosscam.params import Count, Fraction, Within


@dataclass(frozen=True)
class RerankParams:
    """Sizes of the neighbourhoods, in the paper's symbols.

    Parameters
    ----------
    k1
        Neighbours looked at (the image itself not counted).
    k2
        Neighbours averaged in the local query expansion, the image itself counted.
    lambda_
        Weight of the scaled original distance; 0 is the Jaccard distance alone.
    """

    k1: Annotated[int, Within(2)]
    k2: Count
    lambda_: Fraction


def reranked_distances(distances: Distances, params: RerankParams) -> Distances:
    """Turn distances into ``(1 - λ) · Jaccard + λ · scaled distance``, in place.

    Parameters
    ----------
    distances
        (num_images, num_images), symmetric, non-negative, C-contiguous. Overwritten.
    params
        Neighbourhood sizes; with k1 images or fewer, as many as there are.

    Returns
    -------
    ndarray
        The same array, now symmetric, in [0, 1], 0 on the diagonal.

    Notes
    -----
    An image is its own first neighbour, whatever the distances; ties are broken by
    the lower index (the published code leaves both to an unstable sort).
    The published scaling, ``d_ij / max_j d_ij``, makes the result asymmetric (by up to
    0.02), of which a clustering then reads one triangle. Here the mean of both
    directions is returned.
    """
    num = len(distances)
    if num < 2:
        distances[:] = 0
        return distances
    k1, k2 = min(params.k1, num - 1), min(params.k2, num)
    near, largest = nearest_and_largest(distances, max(k1 + 1, k2))
    largest[largest == 0] = 1
    owner, member = expanded_sets(near[:, : k1 + 1], near[:, : round(k1 / 2) + 1])
    scaled = distances[owner, member] / largest[owner]
    vectors = expanded_vectors(owner, member, scaled, near[:, :k2])
    mix_all(distances, largest, vectors, k2, params.lambda_)
    return distances
