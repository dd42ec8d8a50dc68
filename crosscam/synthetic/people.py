"""Who walks through the synthetic world: some twenty attributes per person.

Colours come from a small palette that everybody shares: a person is recognised by the
combination of garments, patterns and things carried, not by a colour of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colour = tuple[float, float, float]

WHITE: Colour = (0.88, 0.87, 0.84)
SAND: Colour = (0.74, 0.64, 0.46)
GREY: Colour = (0.50, 0.51, 0.52)
BLUE: Colour = (0.30, 0.45, 0.66)
RED: Colour = (0.64, 0.22, 0.20)
GREEN: Colour = (0.27, 0.44, 0.29)
BLACK: Colour = (0.12, 0.12, 0.14)
PALETTE = (WHITE, GREY, BLUE, RED, GREEN, BLACK)

_CHOICES: dict[str, tuple[Any, ...]] = {
    "height": (1.58, 1.7, 1.84),
    "build": (0.86, 1.0, 1.22),
    "skin": (
        (0.88, 0.70, 0.58),
        (0.76, 0.56, 0.42),
        (0.56, 0.38, 0.27),
        (0.36, 0.24, 0.18),
    ),
    "hair": ("bald", "short", "bob", "long", "bun", "afro"),
    "hair_colour": (
        (0.10, 0.08, 0.07),
        (0.32, 0.20, 0.12),
        (0.72, 0.56, 0.32),
        (0.62, 0.62, 0.62),
    ),
    "top_colour": PALETTE,
    "top_second": PALETTE,
    "top_pattern": (
        "plain",
        "hoops",
        "pinstripes",
        "checks",
        "dots",
        "halves",
        "band",
        "fade",
        "logo",
        "sash",
    ),
    "top_length": ("waist", "waist", "coat"),
    "sleeves": ("long", "short", "none"),
    "has_second_sleeves": (False, False, True),
    "is_open": (False, False, False, True),
    "bottom": ("trousers", "wide", "shorts", "skirt", "long skirt"),
    "bottom_colour": PALETTE,
    "bottom_second": PALETTE,
    "bottom_pattern": ("plain", "plain", "side", "checks", "hem"),
    "boots": (False, False, True),
    "shoe_colour": (WHITE, BLACK, RED),
    "bag": ("none", "backpack", "shoulder", "tote", "case"),
    "bag_colour": (WHITE, BLACK, RED, BLUE, SAND),
    "hat": ("none", "none", "none", "cap", "beanie", "brim"),
    "hat_colour": (WHITE, BLACK, RED, GREEN, SAND),
}

_WEIGHTS = {
    "top_pattern": 3.0,
    "bottom": 3.0,
    "bag": 3.0,
    "sleeves": 2.0,
    "hat": 2.0,
    "hair": 2.0,
    "top_length": 2.0,
    "is_open": 2.0,
    "bottom_pattern": 2.0,
}


@dataclass(frozen=True)
class Person:
    """The attributes that make one identity; colours are RGB on [0, 1].

    `height` is in metres and `build` a factor of the widths. The second colours fill
    the patterns; all other names are choices that `crosscam.synthetic.figure` draws.
    """

    height: float
    build: float
    skin: Colour
    hair: str
    hair_colour: Colour
    top_colour: Colour
    top_second: Colour
    top_pattern: str
    top_length: str
    sleeves: str
    has_second_sleeves: bool
    is_open: bool
    bottom: str
    bottom_colour: Colour
    bottom_second: Colour
    bottom_pattern: str
    boots: bool
    shoe_colour: Colour
    bag: str
    bag_colour: Colour
    hat: str
    hat_colour: Colour


def draw_person(rng: np.random.Generator) -> Person:
    """Return a person with every attribute drawn at random.

    The colour of a pattern always differs from its ground by 0.25 or more in
    brightness, so that it survives every camera of the table.
    """
    values = {
        name: choices[rng.integers(len(choices))] for name, choices in _CHOICES.items()
    }
    for garment in ("top", "bottom"):
        visible = _contrasting(values[f"{garment}_colour"])
        values[f"{garment}_second"] = visible[rng.integers(len(visible))]
    return Person(**values)


def _contrasting(ground: Colour) -> list[Colour]:
    return [c for c in PALETTE if abs(_brightness(c) - _brightness(ground)) >= 0.25]


def _brightness(colour: Colour) -> float:
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


def difference(one: Person, other: Person) -> float:
    """Return the weighted number of attributes in which two people differ.

    Symmetric; 0 for equal people. Shapes and patterns weigh more than colours.
    """
    return sum(
        _WEIGHTS.get(field.name, 1.0)
        for field in fields(Person)
        if getattr(one, field.name) != getattr(other, field.name)
    )


def draw_people(
    rng: np.random.Generator, num_people: int, num_candidates: int = 24
) -> list[Person]:
    """Return people of whom no two look alike.

    Each is the one of `num_candidates` random people that differs most from its most
    similar predecessor (Mitchell's best candidate, SIGGRAPH 1991); the first of equal
    candidates is taken. Costs O(num_people² · num_candidates).
    """
    codes = np.empty((0, len(fields(Person))), dtype=np.int64)
    weights = np.array([_WEIGHTS.get(field.name, 1.0) for field in fields(Person)])
    people: list[Person] = []
    for _ in range(num_people):
        candidates = [draw_person(rng) for _ in range(num_candidates)]
        rows = np.array([_code(person) for person in candidates])
        unequal = rows[:, None] != codes  # (num_candidates, num_people so far, attrs)
        nearest = (unequal @ weights).min(axis=1, initial=np.inf)
        best = int(nearest.argmax())
        people.append(candidates[best])
        codes = np.vstack([codes, rows[best]])
    return people


def _code(person: Person) -> NDArray[np.int64]:
    return np.array([
        _CHOICES[f.name].index(getattr(person, f.name)) for f in fields(Person)
    ])
