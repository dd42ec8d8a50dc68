"""Turn the test images into features, and some with the untrained network as well.

Reads   data/packed/images.bin, data/split/{query,gallery}.csv,
        models/${extract.checkpoint}, models/weights/${weights}
Writes  data/features.npz
Params  seed, weights, model, extract, compute
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crosscam.data.faults import DataError
from crosscam.data.images import decode_all
from crosscam.data.packed import TEST_COLUMNS, PackedImages, read_table
from crosscam.data.shown import shown_pids
from crosscam.files import write_npz
from crosscam.model.checkpoint import CheckpointError, initial_network, load_checkpoint
from crosscam.model.network import Architecture
from crosscam.params import Count, ParamsError, Seed, read_params
from crosscam.train.devices import ComputeParams, start_device
from crosscam.train.features import raw_features, unit_features


@dataclass(frozen=True)
class ExtractParams:
    """The group `extract`: file name in models/ or ``none``, and identities shown."""

    checkpoint: str
    shown_pids: Count


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    seed: Seed
    weights: str
    model: Architecture
    extract: ExtractParams
    compute: ComputeParams


def main() -> None:
    """Run the stage."""
    p = read_params(Path("params.yaml"), Params)
    device = start_device(p.compute)
    untrained = initial_network(p.model, p.seed, p.weights, Path("models/weights"))
    path = Path("models") / p.extract.checkpoint
    trained = untrained if path.name == "none" else load_checkpoint(path).network
    packed = PackedImages(Path("data/packed/images.bin"))
    query = read_table(Path("data/split/query.csv"), TEST_COLUMNS)
    gallery = read_table(Path("data/split/gallery.csv"), TEST_COLUMNS)
    pids = shown_pids(query["pid"].to_numpy(), p.extract.shown_pids)
    limit, batch_size = p.compute.image_cache_gb, p.compute.batch_size
    size, own = trained.architecture.image_size, untrained.architecture.image_size
    arrays: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {}
    for name, table in (("query", query), ("gallery", gallery)):
        pixels = decode_all(packed, table, size, limit)
        raw = raw_features(trained.to(device), pixels, batch_size)
        arrays[name] = unit_features(raw)
        rows = arrays[f"shown_{name}"] = np.flatnonzero(table["pid"].isin(pids))
        few = table.iloc[rows]
        pixels = pixels[rows] if own == size else decode_all(packed, few, own, limit)
        raw = raw_features(untrained.to(device), pixels, batch_size)
        arrays[f"untrained_{name}"] = unit_features(raw)
    write_npz(Path("data/features.npz"), arrays)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        main()
    except (ParamsError, DataError, CheckpointError) as error:
        raise SystemExit(str(error)) from None
