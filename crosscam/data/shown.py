"""Which test images are shown in the picture of the embedding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shown_rows(pids: NDArray[np.integer], num_pids: int) -> NDArray[np.int64]:
    """Return the rows of some identities, spread evenly over all of them.

    Parameters
    ----------
    pids
        (num_images,), of a query or gallery table; junk and distractors (pids below 1)
        are never shown. Query and gallery give the same choice where they hold the same
        identities (not in DukeMTMC-reID, whose gallery has 408 more).
    num_pids
        How many identities; all if there are fewer.

    Returns
    -------
    ndarray
        Row numbers, in order.
    """
    known = np.unique(pids[pids > 0])
    places = np.linspace(0, len(known) - 1, min(num_pids, len(known))).round()
    return np.flatnonzero(np.isin(pids, known[places.astype(np.int64)]))
