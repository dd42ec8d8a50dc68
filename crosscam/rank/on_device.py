"""Products of queries with the gallery on a GPU: the same ranking, sooner."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from crosscam.rank.match import Product

Features = NDArray[np.float32]


def gpu_product(query: Features, gallery: Features, chunk_size: int) -> Product | None:
    """Return what multiplies on a GPU, for `match_features`.

    Parameters
    ----------
    query, gallery
        (num_query, dim) and (num_gallery, dim): all of them lie there.
    chunk_size
        Queries whose products are held there at once.

    Returns
    -------
    callable or None
        None where there is no GPU, or all this would take more than half of what is
        free there at the moment. That may decide here, as no digit of the ranking
        depends on who multiplies.
    """
    if not torch.cuda.is_available():
        return None
    products = min(chunk_size, len(query)) * len(gallery)
    free, _ = torch.cuda.mem_get_info()
    if 2 * 4 * (query.size + gallery.size + products) > free:
        return None
    # TF32 keeps 10 of 23 bits of each factor: the bound on the error is of float32.
    torch.backends.cuda.matmul.allow_tf32 = False
    return product(query, gallery, torch.device("cuda"))


def product(query: Features, gallery: Features, device: torch.device) -> Product:
    """Return what multiplies rows of the query with the gallery on a device.

    Parameters
    ----------
    query, gallery
        As above; float32, whatever they were.
    device
        Takes a copy of them.
    """
    own, others = (
        torch.from_numpy(np.ascontiguousarray(features, np.float32)).to(device)
        for features in (query, gallery)
    )

    own = -own

    @torch.inference_mode()
    def multiply(rows: slice, negated: Features) -> None:
        torch.from_numpy(negated).copy_(own[rows] @ others.T)

    return multiply
