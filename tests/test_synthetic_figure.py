from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from crosscam.synthetic.canvas import Canvas, Light
from crosscam.synthetic.figure import walking_figure
from crosscam.synthetic.people import BLACK, BLUE, GREEN, RED, SAND, WHITE, Person
from crosscam.synthetic.skeleton import View

PLAIN = Person(
    height=1.7,
    build=1.0,
    skin=(0.88, 0.70, 0.58),
    hair="short",
    hair_colour=(0.10, 0.08, 0.07),
    top_colour=RED,
    top_second=WHITE,
    top_pattern="plain",
    top_length="waist",
    sleeves="short",
    has_second_sleeves=False,
    is_open=False,
    bottom="trousers",
    bottom_colour=BLUE,
    bottom_second=WHITE,
    bottom_pattern="plain",
    boots=False,
    shoe_colour=BLACK,
    bag="none",
    bag_colour=SAND,
    hat="none",
    hat_colour=GREEN,
)
GREY = 0.5


def drawn(person: Person, yaw: float) -> np.ndarray:
    background = np.full((256, 128, 3), GREY, dtype=np.float32)
    canvas = Canvas(background, scale=130.0, origin=(64.0, 245.0))
    tubes = walking_figure(person, phase=0.8, stride=0.35)
    canvas.draw(tubes, View(np.radians(yaw), 0.2), Light(-0.6, 0.6))
    return canvas.colour


def num_changed(one: Person, other: Person, yaw: float) -> int:
    """Return how many of 32,768 pixels differ by more than 0.1."""
    return int((np.abs(drawn(one, yaw) - drawn(other, yaw)).max(2) > 0.1).sum())


@pytest.mark.parametrize(
    "change",
    [
        {"height": 1.84},
        {"height": 1.58},
        {"build": 1.22},
        {"build": 0.86},
        {"skin": (0.36, 0.24, 0.18)},
        {"hair": "bald"},
        {"hair": "bob"},
        {"hair": "long"},
        {"hair": "bun"},
        {"hair": "afro"},
        {"hair_colour": (0.72, 0.56, 0.32)},
        {"top_colour": GREEN},
        {"top_pattern": "hoops"},
        {"top_pattern": "pinstripes"},
        {"top_pattern": "checks"},
        {"top_pattern": "dots"},
        {"top_pattern": "halves"},
        {"top_pattern": "band"},
        {"top_pattern": "fade"},
        {"top_pattern": "logo"},
        {"top_pattern": "sash"},
        {"top_length": "coat"},
        {"sleeves": "long"},
        {"sleeves": "none"},
        {"has_second_sleeves": True},
        {"bottom": "wide"},
        {"bottom": "shorts"},
        {"bottom": "skirt"},
        {"bottom": "long skirt"},
        {"bottom_colour": BLACK},
        {"bottom_pattern": "side"},
        {"bottom_pattern": "checks"},
        {"bottom_pattern": "hem"},
        {"boots": True},
        {"shoe_colour": WHITE},
        {"bag": "backpack"},
        {"bag": "shoulder"},
        {"bag": "tote"},
        {"bag": "case"},
        {"hat": "cap"},
        {"hat": "beanie"},
        {"hat": "brim"},
    ],
    ids=str,
)
@pytest.mark.parametrize("yaw", [10, 95, 170])
def test_every_attribute_shows_from_every_side(change: dict[str, object], yaw: int):
    # 25 pixels are 6 of the final image
    assert num_changed(PLAIN, replace(PLAIN, **change), yaw) > 25


def test_an_open_jacket_shows_in_front_only():
    jacket = replace(PLAIN, is_open=True)
    assert num_changed(PLAIN, jacket, yaw=10) > 200
    assert num_changed(PLAIN, jacket, yaw=170) < 20


@pytest.mark.parametrize(
    ("name", "garment"),
    [
        ("top_second", {"top_pattern": "checks"}),
        ("bag_colour", {"bag": "tote"}),
        ("bottom_second", {"bottom_pattern": "hem"}),
        ("hat_colour", {"hat": "cap"}),
    ],
)
def test_the_colour_of_a_detail_shows_where_the_detail_is(name, garment):
    dressed = replace(PLAIN, **garment)
    assert num_changed(dressed, replace(dressed, **{name: BLACK}), yaw=10) > 100
    assert num_changed(PLAIN, replace(PLAIN, **{name: BLACK}), yaw=10) == 0


def test_a_backpack_is_on_the_back():
    packed = replace(PLAIN, bag="backpack")
    assert num_changed(PLAIN, packed, yaw=180) > 2 * num_changed(PLAIN, packed, yaw=0)


def test_the_straps_of_a_backpack_cross_the_chest():
    chest = np.s_[70:110, 45:83]
    plain, packed = (drawn(replace(PLAIN, bag=bag), 0) for bag in ("none", "backpack"))
    assert (np.abs(plain[chest] - packed[chest]).max(2) > 0.1).sum() > 100


def test_skirts_shorten_the_stride():
    def reach(bottom: str) -> float:
        tubes = walking_figure(replace(PLAIN, bottom=bottom), phase=1.5, stride=0.4)
        ahead = [tube.end[2] for tube in tubes]
        return max(ahead) - min(ahead)

    assert reach("long skirt") < 0.8 * reach("trousers")


@pytest.mark.parametrize(
    ("name", "one", "other"),
    [
        ("hair", "bob", "long"),
        ("bottom", "skirt", "long skirt"),
        ("hat", "cap", "beanie"),
        ("bag", "shoulder", "tote"),
    ],
)
def test_similar_things_can_be_told_apart(name: str, one: str, other: str):
    two = (replace(PLAIN, **{name: value}) for value in (one, other))
    assert num_changed(*two, yaw=150) > 100


def test_bags_straighten_the_arm_that_carries_them():
    free, held = (
        walking_figure(replace(PLAIN, bag=bag), phase=1.5, stride=0.4)
        for bag in ("none", "case")
    )
    ends = [
        np.array([tube.end for tube in tubes[: len(free)]]) for tubes in (free, held)
    ]
    assert np.abs(ends[0] - ends[1]).max() > 0.05


def test_the_table_of_this_test_names_every_attribute():
    assert {field.name for field in fields(Person)} == set(vars(PLAIN))
