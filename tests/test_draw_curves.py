from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from crosscam.draw.curves import STYLES, Run, draw_curves
from crosscam.report.heat import contrast


def run(name="a", cmc=0.5, ari=0.5, phases=("intra", "inter")):
    labels = [
        {"step": step, "phase": phase, "ari": ari + 0.1 * step}
        for step, phase in enumerate(phases * 2, start=1)
    ]
    curve = [{"rank": rank, "cmc": cmc + 0.01 * rank} for rank in range(1, 21)]
    metrics = {"mAP": cmc, "mAP_low": cmc - 0.1, "mAP_high": cmc + 0.1}
    return Run(name, metrics, curve, labels)


def pixels(picture):
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def num_pixels(picture, place):
    wanted = np.round(255 * np.array(to_rgb(STYLES[place][0])))
    return np.all(pixels(picture) == wanted, axis=2).sum()


def grey(place):
    return 255 * np.dot(to_rgb(STYLES[place][0]), (0.299, 0.587, 0.114))


def test_each_run_has_its_colour_on_both_sides():
    picture = draw_curves([run("a"), run("b", 0.6, 0.2)])
    for place in (0, 1):
        colour = np.round(255 * np.array(to_rgb(STYLES[place][0])))
        columns = np.flatnonzero(np.all(pixels(picture) == colour, axis=2).any(axis=0))
        width = pixels(picture).shape[1]
        assert columns.min() < width / 3
        assert columns.max() > 2 * width / 3
    assert num_pixels(picture, 2) == 0


def test_of_two_equal_runs_both_are_seen():
    alone, both = draw_curves([run()]), draw_curves([run(), run("b")])
    assert num_pixels(both, 1) > 500
    assert num_pixels(both, 0) > num_pixels(alone, 0) / 4


def test_neighbours_differ_in_grey_and_no_two_in_marker_or_dashes():
    for place in range(len(STYLES) - 1):
        assert abs(grey(place) - grey(place + 1)) > 40
    assert len({marker for _, marker, _ in STYLES}) == len(STYLES)
    assert len({str(dashes) for _, _, dashes in STYLES}) == len(STYLES)
    for colour, _, _ in STYLES:  # to be seen on white: WCAG 2.1, graphics
        parts = [round(255 * part) for part in to_rgb(colour)]
        assert contrast(tuple(parts), (255, 255, 255)) > 2


def test_same_runs_same_bytes_and_other_numbers_other_bytes():
    others = [run(), run(cmc=0.51), run(ari=0.51), run("b")]
    one, same, *different = [draw_curves([other]) for other in (run(), *others)]
    assert one == same
    assert len({one, *different}) == 4


def test_a_name_is_no_formula_and_a_run_may_lack_a_phase_and_ranks():
    short = run()._replace(cmc=[{"rank": 1, "cmc": 1.0}])
    draw_curves([run(r"$\frac{$"), run(phases=("intra",)), run(phases=()), short])


@pytest.mark.parametrize("num", [0, 9])
def test_no_run_and_too_many(num):
    with pytest.raises(ValueError, match=f"must be 1 to 8, got {num}"):
        draw_curves([run()] * num)
