"""All bad inputs, by family."""

from __future__ import annotations

from tests.hostile import (
    archives,
    checkpoints,
    datasets,
    foreign,
    images,
    params,
    tables,
)

CORPUS = (
    *archives.CASES,
    *datasets.CASES,
    *images.CASES,
    *params.CASES,
    *tables.CASES,
    *checkpoints.CASES,
    *foreign.CASES,
)
