"""Which identities are shown in the picture of the embedding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from crosscam.data.pids import is_person


def shown_pids(pids: NDArray[np.integer], num_pids: int) -> NDArray[np.int64]:
    """Return some identities, spread evenly over all of them.

    Parameters
    ----------
    pids
        (num_images,), of the query table; junk and distractors are never shown.
    num_pids
        How many identities, at least 1; all if there are fewer.

    Returns
    -------
    ndarray
        Distinct identities in order; none if there is no identity.
    """
    known = np.unique(pids[is_person(pids)]).astype(np.int64)
    places = np.linspace(0, len(known) - 1, min(num_pids, len(known))).round()
    shown: NDArray[np.int64] = known[places.astype(np.int64)]
    return shown
