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
from crosscam.params import read_params
from crosscam.synthetic.archive import write_archive
from crosscam.synthetic.plan import World, plan_shots
from crosscam.synthetic.render import population

ARCHIVE = Path("data/synthetic/raw/synthetic.zip")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Params:
    """The sections of ``params.yaml`` that this stage reads."""

    synthesize: World


def main() -> None:
    """Run the stage."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    world = read_params(Path("params.yaml"), Params).synthesize
    shots = plan_shots(world)
    progress = tqdm(shots, desc="synthesize", unit="img", disable=None)
    with replacing(ARCHIVE) as file:
        write_archive(file, world.seed, progress, population(world))
    logger.info("synthesize: %d images of %s", len(shots), world)


if __name__ == "__main__":
    main()
