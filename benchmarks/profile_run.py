"""Where the time of the default job goes: seconds and share of each phase.

Run ``python -m benchmarks.profile_run [--recipe default] [--rounds 1]`` after `dvc
pull` or `dvc repro split`: runs the stages intra and inter on data/ in a folder of its
own, with as many rounds of each as asked for (0: all), and extract and evaluate after
them where there are test images. An inter-camera stage of one round has no
intra-camera round in between. Needs a quiet machine.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
from ruamel.yaml import YAML

from benchmarks._phases import lines, timed_phases
from crosscam.model.network import Network
from crosscam.params import read_params
from crosscam.train.devices import start_device
from crosscam.train.progress import Progress
from recipes.__main__ import build, texts
from stages import evaluate, extract, inter, intra

ROOT = Path(__file__).resolve().parent.parent


class Unkept:
    """A run that is not kept."""

    def progress(self, network: Network, _: object) -> Progress:
        """Return one that begins."""
        return Progress(network)


def main(arguments: list[str] | None = None) -> None:
    """Print the phases of each stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", nargs="+", default=["default"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--data", type=Path, default=ROOT / "data")
    options = parser.parse_args(arguments)
    text = build(texts(), options.recipe)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_params(text, options.rounds)
        Path("data").mkdir()
        for part in ("packed", "split"):
            Path("data", part).symlink_to(options.data.resolve() / part)
        Path("models/weights").mkdir(parents=True)
        Path("models/weights/none").touch()
        for stage in (intra, inter):
            run(stage, lambda p, device, of=stage: of.train(p, device, Unkept()))
        if not Path("data/split/query.csv").exists():
            print("no data/split/query.csv: no features are extracted and evaluated")
            return
        for stage in (extract, evaluate):
            run(stage, lambda *_, of=stage: of.main())


def write_params(text: str, num_rounds: int) -> None:
    """Write params.yaml with so many rounds of each kind, or all."""
    tree = YAML().load(text)
    for phase in ("intra", "inter"):
        tree[phase]["rounds"] = num_rounds or tree[phase]["rounds"]
    YAML().dump(tree, Path("params.yaml"))


def run(stage: ModuleType, work: Callable[..., None]) -> None:
    """Run a stage and print its phases."""
    p = read_params(Path("params.yaml"), stage.Params)
    device = start_device(p.compute) if hasattr(p, "compute") else "all processors"
    with timed_phases() as clock:
        work(p, device)
        seconds = clock.taken()
    name = stage.__name__.rpartition(".")[2]
    rounds = getattr(getattr(p, name), "rounds", "none")
    where = f"{device}, {torch.get_num_threads()} threads"
    print(f"stage {name}, rounds: {rounds}, {where}")
    print("\n".join(lines(seconds)), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    main()
