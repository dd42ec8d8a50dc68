"""Split the index into tables: training without identities, query, gallery, truth.

Reads   data/packed/index.csv
Writes  data/split/{train,query,gallery,truth}.csv, metrics/split.json
Params  split
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from crosscam.data.faults import DataError
from crosscam.data.packed import read_index
from crosscam.data.split import split, summary
from crosscam.files import write_csv, write_json
from crosscam.params import Fraction, ParamsError, read_params

log = logging.getLogger("split")


@dataclass(frozen=True)
class SplitParams:
    """Part of each camera's recording time to train on, as fractions of it."""

    window: tuple[Fraction, Fraction]

    def __post_init__(self) -> None:
        """Check what ranges of single values cannot say."""
        start, stop = self.window
        if start >= stop:
            raise ValueError(
                f"window: must begin before it ends, got [{start:g}, {stop:g}]"
            )


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    split: SplitParams


def main() -> None:
    """Run the stage."""
    window = read_params(Path("params.yaml"), Params).split.window
    tables = split(read_index(Path("data/packed/index.csv")), window)
    for name, table in tables._asdict().items():
        write_csv(Path(f"data/split/{name}.csv"), table)
    report = summary(tables, window)
    write_json(Path("metrics/split.json"), report)
    log.info("%d training images in window %s", len(tables.train), list(window))
    log.info("%d queries without a match", report["queries_without_match"])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
    try:
        main()
    except (ParamsError, DataError) as error:
        raise SystemExit(str(error)) from None
