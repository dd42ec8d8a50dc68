from __future__ import annotations

import numpy as np
import pytest

from crosscam.synthetic.cloth import (
    PATTERNS,
    STRAPS,
    fabric,
    face,
    opened,
    overlaid,
    plain,
)
from crosscam.synthetic.people import BLACK, BLUE, RED, WHITE

FRONT, LEFT, BACK = 0.0, np.pi / 2, np.pi


def at(cloth, *places: tuple[float, float]) -> list[tuple[float, ...]]:
    angle, length = np.array(places, dtype=np.float32).T
    return [tuple(np.round(colour.tolist(), 4)) for colour in cloth(angle, length)]


def test_plain_is_one_colour():
    assert at(plain(RED), (FRONT, 0.1), (BACK, 0.5)) == [RED, RED]


def test_hoops_change_every_65_millimetres():
    cloth = fabric(WHITE, BLACK, "hoops")
    places = [(FRONT, 0.03), (FRONT, 0.1), (BACK, 0.16), (LEFT, 0.23)]
    assert at(cloth, *places) == [BLACK, WHITE, BLACK, WHITE]


def test_halves_and_band():
    halves = fabric(WHITE, BLACK, "halves")
    assert at(halves, (FRONT, 0.2), (FRONT, 0.3)) == [WHITE, BLACK]
    band = fabric(WHITE, BLACK, "band")
    assert at(band, (0, 0.1), (0, 0.24), (0, 0.4)) == [WHITE, BLACK, WHITE]


def test_a_fade_is_halfway_in_the_middle():
    middle = at(fabric(WHITE, BLACK, "fade"), (FRONT, 0.28))[0]
    assert middle == pytest.approx((np.add(WHITE, BLACK) / 2).tolist(), abs=1e-3)


def test_a_logo_is_on_chest_and_back():
    cloth = fabric(WHITE, BLACK, "logo")
    places = [(FRONT, 0.24), (BACK, 0.24), (-BACK, 0.24), (LEFT, 0.24), (FRONT, 0.05)]
    assert at(cloth, *places) == [BLACK, BLACK, BLACK, WHITE, WHITE]


def test_a_jacket_opens_in_front():
    cloth = opened(plain(WHITE), RED)
    assert at(cloth, (FRONT, 0.2), (LEFT, 0.2), (BACK, 0.2)) == [RED, WHITE, WHITE]


def test_straps():
    backpack = overlaid(plain(WHITE), RED, STRAPS["backpack"])
    places = [(0.75, 0.2), (-0.75, 0.2), (FRONT, 0.2), (BACK, 0.2)]
    assert at(backpack, *places) == [RED, RED, WHITE, WHITE]
    shoulder = overlaid(plain(WHITE), RED, STRAPS["shoulder"])
    places = [(FRONT, 0.27), (LEFT, 0.52), (-LEFT, 0.02), (LEFT, 0.02)]
    assert at(shoulder, *places) == [RED, RED, RED, WHITE]


def test_a_head_has_hair_above_and_behind():
    head = face(RED, BLACK, hairline=0.03, sides=1.35)
    places = [(FRONT, 0.05), (FRONT, 0.02), (BACK, 0.06)]
    assert at(head, *places) == [RED, BLACK, BLACK]
    assert at(head, (0.42, 0.085))[0] not in {RED, BLACK}  # an eye


@pytest.mark.parametrize("pattern", [*sorted(PATTERNS), "fade"])
def test_every_pattern_but_plain_shows_both_colours_from_front_and_back(pattern: str):
    angle, length = np.meshgrid(np.linspace(-1.2, 1.2, 50), np.linspace(0, 0.5, 50))
    for turned in (0.0, np.pi):
        seen = (angle.ravel() + turned + np.pi) % (2 * np.pi) - np.pi
        cloth = fabric(BLUE, WHITE, pattern)
        colours = cloth(seen.astype(np.float32), length.ravel().astype(np.float32))
        assert colours.shape == (2500, 3)
        assert (np.ptp(colours[:, 0]) > 0.3) == (pattern != "plain")


def test_no_pixels():
    nothing = np.zeros(0, dtype=np.float32)
    assert fabric(WHITE, BLACK, "dots")(nothing, nothing).shape == (0, 3)
