"""Run a recipe over seeds and say what its numbers are: make seeds N=5 RECIPE=iids.

Queues one experiment per seed, named after the recipe and the seed, and writes
reports/seeds/NAME.json and NAME.md: mean, standard deviation and 95 % interval of each
metric. What has run already is not run again. On the synthetic dataset a seed is that
of the dataset, too. Without a recipe: params.yaml as it is.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from crosscam.experiment.overrides import overrides
from crosscam.experiment.spread import SpreadError
from crosscam.experiment.tables import spread_table
from crosscam.files import write_bytes, write_json
from crosscam.params import ParamsError
from crosscam.recipes import applied_recipes
from experiments.revisions import state
from experiments.runs import Done, RunError, Wanted, git, run_all
from recipes.__main__ import build, texts

SYNTHETIC = "data/synthetic/raw/synthetic.zip"
FOLDER = Path("reports/seeds")
LAST = "inter.safetensors"


def main(arguments: list[str]) -> None:
    """Run the command; every fault ends it with one message and status 1."""
    parser = argparse.ArgumentParser(prog="experiments.seeds", description=__doc__)
    parser.add_argument("recipes", nargs="*", help="as for make recipe")
    parser.add_argument("--num", type=int, default=5, help="of seeds")
    parser.add_argument("--first", type=int, help="seed; the recipe's unless given")
    parser.add_argument("--jobs", type=int, default=1, help="experiments at a time")
    parser.add_argument("--name", help="that of the recipe unless given")
    parser.add_argument("--checkpoints", nargs="+", default=[LAST], metavar="FILE")
    options = parser.parse_args(arguments)
    if options.num < 2:
        raise SystemExit(f"--num: a spread needs at least 2 seeds, got {options.num}")
    try:
        text = base_params(options.recipes)
        name = options.name or "-".join(applied_recipes(text)) or "default"
        first = read(text)["seed"] if options.first is None else options.first
        seeds = range(first, first + options.num)
        runs = []
        # The last network first: the others are then a matter of `extract`.
        for checkpoint in sorted(options.checkpoints, key=lambda file: file != LAST):
            wanted = [wanted_run(text, name, seed, checkpoint) for seed in seeds]
            done = run_all(wanted, options.jobs, ignored_inputs(read(text)))
            runs += [
                record(seed, checkpoint, d) for seed, d in zip(seeds, done, strict=True)
            ]
        table = spread_table(name, runs)
    except (ParamsError, RunError, SpreadError) as error:
        raise SystemExit(str(error)) from None
    about = {"name": name, "archive": read(text)["archive"], "revision": state().commit}
    write_json(FOLDER / f"{name}.json", {**about, "runs": runs})
    write_bytes(FOLDER / f"{name}.md", table.encode())
    sys.stdout.write(table)


def base_params(recipes: list[str]) -> str:
    """Return the text of the parameters that all runs share."""
    if not recipes:
        return Path("params.yaml").read_text("utf-8")
    return build(texts(), recipes)


def wanted_run(text: str, name: str, seed: int, checkpoint: str) -> Wanted:
    """Return the experiment of one seed, evaluated at one checkpoint."""
    params = read(text)
    params["seed"] = seed
    params["extract"]["checkpoint"] = checkpoint
    if params["archive"] == SYNTHETIC:
        params["synthesize"]["seed"] = seed
    current = read(Path("params.yaml").read_text("utf-8"))
    suffix = "" if checkpoint == LAST else f"-{Path(checkpoint).stem}"
    return Wanted(f"{name}-{seed}{suffix}", params, overrides(current, params))


def ignored_inputs(params: dict[str, Any]) -> list[str]:
    """Return the files that a run in a folder of its own would not find there."""
    weights = f"models/weights/{params['weights']}"
    archive = params["archive"]
    added = Path(f"{archive}.dvc").exists()  # then DVC brings it there
    folder = str(Path(archive).parent)
    # DVC copies a file only into a folder that is there, and a folder with its parents.
    place = archive if git("ls-files", folder).strip() else folder
    files = [] if archive == SYNTHETIC or added else [place]
    return files + ([weights] if weights.endswith(".safetensors") else [])


def record(seed: int, checkpoint: str, done: Done) -> dict[str, Any]:
    """Return what is written of a run."""
    return {"seed": seed, "checkpoint": checkpoint, "metrics": done.metrics}


def read(text: str) -> dict[str, Any]:
    """Return parameters as a tree of plain values."""
    tree: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return tree


if __name__ == "__main__":
    main(sys.argv[1:])
