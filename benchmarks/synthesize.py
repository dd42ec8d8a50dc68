"""Time the drawing of the synthetic world on one core.

Run ``python -m benchmarks.synthesize``. Nothing else draws such a world, so there is
nothing to put beside it: the bound is the patience of whoever runs `make repro`.
"""

from __future__ import annotations

import time
from pathlib import Path

from crosscam.params import read_params
from crosscam.synthetic.plan import plan_shots
from crosscam.synthetic.render import population, render_shot
from stages import synthesize

DEFAULT = Path("recipes/default.yaml")
NUM_IMAGES = 500


def main() -> None:
    """Print images per second of processor time, and bytes per image."""
    world = read_params(DEFAULT, synthesize.Params).synthesize
    start = time.process_time()
    people = population(world)
    shots = plan_shots(world)
    planned = time.process_time()
    chosen = shots[:: len(shots) // NUM_IMAGES][:NUM_IMAGES]
    sizes = [len(render_shot(world.seed, shot, people)) for shot in chosen]
    seconds = time.process_time() - planned
    rate = len(chosen) / seconds
    print(f"people and plan   {planned - start:6.2f} s of processor time")
    print(f"images            {rate:6.0f} per second of processor time")
    print(f"whole world       {len(shots) / rate:6.1f} s for {len(shots)} images")
    print(f"JPEG              {sum(sizes) / len(sizes) / 1000:6.2f} kB per image")


if __name__ == "__main__":
    main()
