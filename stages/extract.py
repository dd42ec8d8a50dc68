"""Turn the test images into features, and some with the untrained network as well.

Reads   data/packed/images.bin, data/split/{query,gallery}.csv,
        models/${extract.checkpoint}, models/weights/${weights}
Writes  data/features.npz
Params  seed, weights, model, extract, compute
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from crosscam.data.faults import DataError
from crosscam.data.images import decode_all
from crosscam.data.packed import TEST_COLUMNS, PackedImages, read_table
from crosscam.data.shown import shown_pids
from crosscam.files import write_npz
from crosscam.model.checkpoint import CheckpointError, load_checkpoint, untrained
from crosscam.model.network import Architecture
from crosscam.params import Count, FileName, ParamsError, Seed, read_params
from crosscam.processes import is_first
from crosscam.stage import alone_together, as_stage, several
from crosscam.train.devices import ComputeParams, placed, start_device
from crosscam.train.features import features


@dataclass(frozen=True)
class ExtractParams:
    """The group `extract`: file in models/ or ``none``, styles, identities shown."""

    checkpoint: FileName
    restyle: bool
    shown_pids: Count


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    seed: Seed
    weights: FileName
    model: Architecture
    extract: ExtractParams
    compute: ComputeParams


def main() -> None:
    """Run the stage."""
    p = read_params(Path("params.yaml"), Params)
    with several(p.compute.processes, "stages.extract"), alone_together("extract"):
        device, folder = start_device(p.compute), Path("models/weights")
        plain = placed(untrained(p.model, p.seed, p.weights, folder), p.compute, device)
        path = Path("models") / p.extract.checkpoint
        trained = plain if path.name == "none" else load_checkpoint(path).network
        placed(trained, p.compute, device)
        packed, split = PackedImages(Path("data/packed/images.bin")), Path("data/split")
        names = ("query", "gallery")
        tables = {n: read_table(split / f"{n}.csv", TEST_COLUMNS) for n in names}
        pids = shown_pids(tables["query"]["pid"].to_numpy(), p.extract.shown_pids)
        limit, num = p.compute.image_cache_gb, p.compute.batch_size
        size, own = (net.architecture.image_size for net in (trained, plain))
        arrays: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {}
        for name, table in tables.items():
            camids = table["camid"].to_numpy() if p.extract.restyle else None
            pixels = decode_all(packed, table, size, limit)
            arrays[name] = features(trained, pixels, num, camids)
            rows = arrays[f"shown_{name}"] = np.flatnonzero(table["pid"].isin(pids))
            pixels = decode_all(packed, table.iloc[rows], own, limit)
            arrays[f"untrained_{name}"] = features(plain, pixels, num)
        if is_first():
            write_npz(Path("data/features.npz"), arrays)


if __name__ == "__main__":
    with as_stage(ParamsError, DataError, CheckpointError, OSError):
        main()
