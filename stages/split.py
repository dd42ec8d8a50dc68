"""Split the index into tables: training without identities, query, gallery, truth.

Reads   data/packed/index.csv
Writes  data/split/{train,query,gallery,truth}.csv, metrics/split.json
Params  split
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crosscam.data.faults import DataError
from crosscam.data.packed import read_index
from crosscam.data.split import split, summary
from crosscam.files import write_csv, write_json
from crosscam.params import Fraction, ParamsError, read_params
from crosscam.program import as_program

log = logging.getLogger("split")


@dataclass(frozen=True)
class SplitParams:
    """What to train on.

    Parameters
    ----------
    window
        Part of each camera's recording time, as fractions of it.
    train_lists
        Lists of training images; only MSMT17 has more than train.
    """

    window: tuple[Fraction, Fraction]
    train_lists: tuple[Literal["train", "val"], ...]

    def __post_init__(self) -> None:
        """Check what ranges of single values cannot say."""
        start, stop = self.window
        faults = []
        if start >= stop:
            faults.append(
                f"window: must begin before it ends, got [{start:g}, {stop:g}]"
            )
        lists = list(self.train_lists)
        if not lists or len({*lists}) < len(lists):
            faults.append(f"train_lists: must name each list once, got {lists}")
        if faults:
            raise ValueError("\n".join(faults))


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    split: SplitParams


def main() -> None:
    """Run the stage."""
    params = read_params(Path("params.yaml"), Params).split
    index = read_index(Path("data/packed/index.csv"))
    tables = split(index, params.window, params.train_lists)
    for name, table in tables._asdict().items():
        write_csv(Path(f"data/split/{name}.csv"), table)
    report = summary(tables, params.window, params.train_lists)
    write_json(Path("metrics/split.json"), report)
    log.info("%d training images in window %s", len(tables.train), list(params.window))
    log.info("%(queries_without_match)d queries without a match", report)
    log.info("%(test_only_cameras)d cameras in no training image", report)


if __name__ == "__main__":
    with as_program("split", ParamsError, DataError, OSError):
        main()
