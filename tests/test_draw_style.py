from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from crosscam.draw.style import DPI, house_style, png, with_palette


def drawing():
    with house_style():
        figure = Figure(figsize=(2, 1))
        figure.subplots().set(title="a title", xlabel="and a label")
        return png(figure)


def test_the_users_settings_do_not_matter():
    expected = drawing()
    mine = {"font.size": 30, "savefig.dpi": 20, "axes.facecolor": "red"}
    with mpl.rc_context(mine):
        assert drawing() == expected


def test_settings_are_put_back():
    before = dict(mpl.rcParams)
    drawing()
    assert dict(mpl.rcParams) == before


def test_size_and_no_trace_of_when_and_by_what():
    with Image.open(io.BytesIO(drawing())) as image:
        assert image.size == (2 * DPI, DPI)
        assert image.info.keys() == {"dpi"}
        assert np.asarray(image).max() == 255


def test_a_palette_makes_photographs_smaller_and_keeps_them_alike():
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64]
    smooth = np.stack([4 * rows, 4 * columns, 2 * (rows + columns)], axis=2)
    noisy = np.clip(smooth + rng.integers(-6, 7, (64, 64, 3)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "PNG")
    smaller = with_palette(buffer.getvalue())
    assert smaller == with_palette(buffer.getvalue())
    assert len(smaller) < len(buffer.getvalue()) / 2
    shown = np.asarray(Image.open(io.BytesIO(smaller)).convert("RGB")).astype(int)
    assert np.abs(shown - noisy).mean() < 8
