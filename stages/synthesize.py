"""Draw the synthetic world that is the embedded default dataset.

Reads   nothing
Writes  data/synthetic/raw/synthetic.zip
Params  synthesize
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from crosscam.files import replacing
from crosscam.params import ParamsError, read_params
from crosscam.program import as_program
from crosscam.synthetic.archive import write_archive
from crosscam.synthetic.plan import World, plan_shots
from crosscam.synthetic.render import population

log = logging.getLogger("synthesize")


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    synthesize: World


def main() -> None:
    """Run the stage."""
    world = read_params(Path("params.yaml"), Params).synthesize
    shots = plan_shots(world)
    progress = tqdm(shots, desc="synthesize", unit=" images", disable=None)
    with replacing(Path("data/synthetic/raw/synthetic.zip")) as file:
        write_archive(file, world.seed, progress, population(world))
    log.info("%d images of %s", len(shots), world)


if __name__ == "__main__":
    with as_program("synthesize", ParamsError, OSError):
        main()
