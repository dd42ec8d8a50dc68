"""Draw docs/synthetic.png: seven people of the default world, seen by every camera.

Run ``python -m benchmarks.sheet``.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from crosscam.files import replacing
from crosscam.params import read_params
from crosscam.synthetic.render import population
from crosscam.synthetic.sheet import contact_sheet
from stages import synthesize

DEFAULT = Path("recipes/default.yaml")
PICTURE = Path("docs/synthetic.png")
PIDS = list(range(1, 8))
NUM_COLOURS = 256  # of the palette: a third of the bytes of true colour


def main() -> None:
    """Write the picture."""
    world = read_params(DEFAULT, synthesize.Params).synthesize
    sheet = contact_sheet(population(world), world.seed, PIDS, world.cameras, 2)
    with replacing(PICTURE) as file:
        sheet.quantize(NUM_COLOURS, dither=Image.Dither.NONE).save(
            file, "PNG", optimize=True
        )
    print(f"{PICTURE}: {sheet.size}, {PICTURE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
