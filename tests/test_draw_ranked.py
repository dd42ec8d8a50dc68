from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from crosscam.draw.ranked import RIGHT, WRONG, RankedList, Tile, draw_ranked


def tile(camid=0, grey=128):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 16), (grey,) * 3).save(buffer, "PNG")
    return Tile(buffer.getvalue(), camid)


def ranked(*is_match):
    tiles = [tile(number) for number in range(len(is_match) + 1)]
    return RankedList(tiles, 0.5, np.linspace(0, 1, len(is_match)), is_match)


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def num_pixels(picture, colour):
    wanted = np.round(255 * np.array(to_rgb(colour)))
    return np.all(pixels(picture) == wanted, axis=2).sum()


def test_right_is_green_and_wrong_is_red():
    right, wrong = draw_ranked([ranked(True)]), draw_ranked([ranked(False)])
    assert num_pixels(right, RIGHT) > 400
    assert num_pixels(right, WRONG) == 0
    assert num_pixels(wrong, WRONG) > 400
    assert num_pixels(wrong, RIGHT) == 0


def test_frames_are_counted_one_by_one():
    one, three = draw_ranked([ranked(True)]), draw_ranked([ranked(True, True, True)])
    assert num_pixels(three, RIGHT) == pytest.approx(
        3 * num_pixels(one, RIGHT), rel=0.1
    )


def test_a_row_per_query_and_a_column_per_image():
    one = pixels(draw_ranked([ranked(True, False)])).shape
    two_rows = pixels(draw_ranked([ranked(True, False)] * 2)).shape
    four_columns = pixels(draw_ranked([ranked(*[True] * 4)])).shape
    assert two_rows[0] > one[0]
    assert two_rows[1] == one[1]
    assert four_columns[0] == one[0]
    assert four_columns[1] > one[1]


def test_images_are_shown():
    dark = RankedList([tile(grey=10), tile(grey=20)], 1, [0.1], [True])
    shown = pixels(draw_ranked([dark]))
    for grey in (10, 20):
        assert np.all(shown == grey, axis=2).sum() > 5_000


def test_same_lists_same_bytes():
    lists = [ranked(True, False), ranked(False)]
    assert draw_ranked(lists) == draw_ranked(lists)


def test_a_gallery_may_be_empty():
    assert num_pixels(draw_ranked([ranked()]), WRONG) == 0


def test_there_must_be_a_list():
    with pytest.raises(ValueError, match="must be at least one, got none"):
        draw_ranked([])
