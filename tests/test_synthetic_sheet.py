from __future__ import annotations

import io

import numpy as np
from PIL import Image

from crosscam.synthetic.plan import Shot, World
from crosscam.synthetic.render import population, render_shot
from crosscam.synthetic.sheet import GAP, contact_sheet

PEOPLE = population(World(0, 2, 1, 2, 2, 0, 0))


def test_a_row_per_person_and_a_block_per_camera():
    sheet = contact_sheet(PEOPLE, 0, [3, 1], num_cameras=2, num_images=2)
    assert sheet.size == (4 * 64 + GAP, 2 * 128 + GAP)
    shot = Shot("train", 1, 1, 1, 0, 1, person=0, tracklet=0, step=1)
    image = Image.open(io.BytesIO(render_shot(0, shot, PEOPLE)))
    corner = (3 * 64 + GAP, 128 + GAP)
    cut = sheet.crop((*corner, corner[0] + 64, corner[1] + 128))
    assert np.array_equal(cut, image)
