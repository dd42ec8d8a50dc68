"""Print the metrics of data/features.npz: make score, after dvc repro extract.

As metrics/evaluate.json has them. The stage `evaluate` also compares pseudo labels with
identities, so that it needs a training; a checkpoint from elsewhere has none here.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from crosscam.data.faults import DataError
from crosscam.data.packed import TEST_COLUMNS, read_table
from crosscam.files import NpzError, json_text, read_npz
from crosscam.params import ParamsError, read_params
from crosscam.rank.evaluation import EvaluateParams, evaluate
from crosscam.rank.feature_set import RankingError, feature_set
from experiments import run_files

FAULTS = (ParamsError, DataError, NpzError, RankingError)


@dataclass(frozen=True)
class Params:
    """What this command reads of params.yaml."""

    evaluate: EvaluateParams


def main() -> None:
    """Run the command; every fault ends it with one message and status 1."""
    try:
        params = read_params(Path(run_files.PARAMS), Params).evaluate
        arrays = read_npz(Path(run_files.FEATURES), list(run_files.TABLES))
        query, gallery = (
            feature_set(arrays[name], read_table(Path(path), TEST_COLUMNS))
            for name, path in run_files.TABLES.items()
        )
        result = evaluate(query, gallery, params)
    except FileNotFoundError as error:
        raise SystemExit(
            f"{error.filename}: no such file: run dvc repro extract"
        ) from None
    except FAULTS as error:
        raise SystemExit(str(error)) from None
    sys.stdout.write(json_text(result.metrics, "metrics"))


if __name__ == "__main__":
    main()
