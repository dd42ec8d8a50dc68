"""A contact sheet: the same people as every camera sees them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from crosscam.synthetic.people import Person
from crosscam.synthetic.plan import Shot
from crosscam.synthetic.render import render_shot
from crosscam.synthetic.sensor import IMAGE_SIZE

GAP = 6  # pixels between people and between cameras


def contact_sheet(
    people: list[Person], seed: int, pids: list[int], num_cameras: int, num_images: int
) -> Image.Image:
    """Return a picture with a row per person and a block of columns per camera.

    Parameters
    ----------
    people
        As `crosscam.synthetic.render.population` returns them.
    seed
        Of the world.
    pids
        Who is shown, from 1.
    num_cameras
        Columns of blocks, from the head of the table of cameras.
    num_images
        Consecutive images of one tracklet in each block.
    """
    height, width = IMAGE_SIZE
    block = num_images * width + GAP
    size = (num_cameras * block - GAP, len(pids) * (height + GAP) - GAP)
    sheet = Image.new("RGB", size, "white")
    for row, camid, step in np.ndindex(len(pids), num_cameras, num_images):
        shot = Shot(
            subset="train",
            pid=pids[row],
            camid=camid,
            sequence=1,
            frame=0,
            box=1,
            person=pids[row] - 1,
            tracklet=0,
            step=step,
        )
        image = Image.open(io.BytesIO(render_shot(seed, shot, people)))
        sheet.paste(image, (camid * block + step * width, row * (height + GAP)))
    return sheet
