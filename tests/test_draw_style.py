from __future__ import annotations

import io

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from crosscam.draw.style import DPI, house_style, png


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
