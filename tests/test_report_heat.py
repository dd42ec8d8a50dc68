from __future__ import annotations

import numpy as np
import pytest

from crosscam.report.heat import colours, contrast, heat_map


def pair(query, gallery, value):
    cameras = {"query_camera": query, "gallery_camera": gallery}
    return {**cameras, "mAP": value, "num_queries": 7}


def test_contrast_by_the_standards_own_ends():
    black, white = (0, 0, 0), (255, 255, 255)
    assert contrast(black, white) == pytest.approx(21)
    assert contrast(white, white) == pytest.approx(1)
    assert contrast((119, 119, 119), white) == pytest.approx(4.48, abs=0.01)


def test_every_cell_can_be_read():
    for fraction in np.linspace(0, 1, 501):
        background, text = colours(fraction)
        assert contrast(background, text) >= 4.5


def test_more_is_darker():
    white = (255, 255, 255)
    seen = [contrast(colours(f)[0], white) for f in np.linspace(0, 1, 101)]
    assert seen == sorted(seen)


def test_a_row_and_a_column_per_camera_and_no_cell_without_a_pair():
    made = heat_map([pair(1, 2, 0.5), pair(1, 3, 1.0), pair(4, 2, 0.126)])
    rows = made.split("<tbody>")[1].split("</tr>")[:-1]
    assert len(rows) == 2
    assert [row.count("<td") for row in rows] == [2, 2]
    assert ">50.0<" in rows[0]
    assert ">100.0<" in rows[0]
    assert ">12.6<" in rows[1]
    assert "<td></td>" in rows[1]  # of camera 4 in camera 3 nothing is known
    assert 'title="7 queries"' in made


def test_no_pairs_are_an_empty_table():
    assert "<td" not in heat_map([])
