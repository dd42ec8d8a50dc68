"""The features of a query or gallery with what is known of each image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crosscam.data.pids import JUNK_PID

NORM_TOLERANCE = 1e-3  # float32 sums over 2,048 values are off by about 1e-6


class RankingError(ValueError):
    """Features and identities that cannot be ranked; a line per fault."""


@dataclass(frozen=True)
class FeatureSet:
    """Images as the ranking sees them; checked when made.

    Parameters
    ----------
    features
        ndarray of shape (num_images, dim), float32, rows of Euclidean length 1.
    pids
        Integers of shape (num_images,): identities above 0, `DISTRACTOR_PID` or
        `JUNK_PID`.
    camids
        Integers of shape (num_images,), from 0.

    Raises
    ------
    RankingError
        A line per fault: no floats, shapes that do not agree, values that are not
        finite, rows that are not of length 1, identities below -1, cameras below 0.
    """

    features: NDArray[np.float32]
    pids: NDArray[np.integer[Any]]
    camids: NDArray[np.integer[Any]]

    def __post_init__(self) -> None:
        faults = [*self._shape_faults(), *self._value_faults()]
        if faults:
            raise RankingError("\n".join(faults))

    def _shape_faults(self) -> list[str]:
        if self.features.dtype.kind != "f":
            raise RankingError(
                f"features: must be numbers, got {self.features.dtype}: extract them"
                " again"
            )
        shapes = self.features.shape, self.pids.shape, self.camids.shape
        num_images = len(self.pids)
        if self.features.ndim == 2 and shapes == (
            (num_images, self.features.shape[1]),
            (num_images,),
            (num_images,),
        ):
            return []
        fault = (
            "features, pids and camids: shapes must be (num_images, dim), "
            f"(num_images,) and (num_images,), got {shapes}: "
            "the features were made from other tables, extract them again"
        )
        return [fault]

    def _value_faults(self) -> list[str]:
        faults = []
        lengths = np.sqrt(np.einsum("...d,...d->...", self.features, self.features))
        wrong = ~(np.abs(lengths - 1) <= NORM_TOLERANCE)  # true where not a number
        if wrong.any():
            row = int(np.argmax(wrong))
            faults.append(
                f"features: {wrong.sum()} rows are not finite and of length 1, got "
                f"length {lengths.flat[row]:g} in row {row}: normalise the features, "
                "and if they are not finite look for a training that diverged"
            )
        if self.pids.min(initial=0) < JUNK_PID:
            faults.append(f"pids: must be at least -1, got {self.pids.min()}")
        if self.camids.min(initial=0) < 0:
            faults.append(f"camids: must be at least 0, got {self.camids.min()}")
        return faults


def feature_set(features: NDArray[np.float32], table: pd.DataFrame) -> FeatureSet:
    """Return features with the columns ``pid`` and ``camid`` of a table's rows."""
    return FeatureSet(features, table["pid"].to_numpy(), table["camid"].to_numpy())


def some_of_both(
    query: FeatureSet,
    gallery: FeatureSet,
    query_rows: NDArray[np.int64],
    gallery_rows: NDArray[np.int64],
) -> FeatureSet:
    """Return the given rows of the query and, after them, of the gallery.

    Raises
    ------
    RankingError
        If there is no such row.
    """
    parts = (query, query_rows), (gallery, gallery_rows)
    for images, rows in parts:
        places = range(len(images.pids))
        if rows.dtype.kind != "i" or not {*rows.ravel().tolist()} <= {*places}:
            raise RankingError(
                f"shown rows: must be below {len(places)}, got {rows}: extract the"
                " features again"
            )
    return FeatureSet(
        np.concatenate([images.features[rows] for images, rows in parts]),
        np.concatenate([images.pids[rows] for images, rows in parts]),
        np.concatenate([images.camids[rows] for images, rows in parts]),
    )
