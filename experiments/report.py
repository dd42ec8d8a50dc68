"""Write the workspace's run as one HTML page: make report.

It shows images of the dataset: reports/ is ignored by git.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from crosscam.data.packed import TEST_COLUMNS, PackedImages, read_table
from crosscam.files import read_npz, write_bytes
from crosscam.params import read_params
from crosscam.rank.evaluation import EvaluateParams
from crosscam.report.material import Material
from crosscam.report.page import page
from crosscam.report.pictures import ranking
from crosscam.train.devices import ComputeParams
from experiments import run_files
from experiments.environment import environment


@dataclass(frozen=True)
class Params:
    """What this command reads of params.yaml, but for printing it."""

    evaluate: EvaluateParams
    compute: ComputeParams


def main(arguments: list[str]) -> None:
    """Run the command; every fault ends it with one message and status 1."""
    parser = argparse.ArgumentParser(prog="experiments.report", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("reports/report.html"))
    options = parser.parse_args(arguments)
    try:
        params = read_params(Path(run_files.PARAMS), Params)
        run = run_files.read_run()
        machine = environment(params.compute)
        tables = {
            name: read_table(Path(path), TEST_COLUMNS)
            for name, path in run_files.TABLES.items()
        }
        found = ranking(
            read_npz(Path(run_files.FEATURES)),
            tables,
            PackedImages(Path(run_files.IMAGES)),
            params.evaluate,
        )
    except ValueError as error:
        raise SystemExit(str(error)) from None
    material = Material(
        **run.records,
        embedding=Path(run_files.EMBEDDING).read_bytes(),
        intervals=found.intervals,
        ranked=found.ranked,
        params=run.params,
        default=run.default,
        recipe=run.recipe,
        stages=run.stages,
        environment=machine,
    )
    write_bytes(options.out, page(material).encode())
    sys.stdout.write(f"{options.out}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
