"""Cloths: what colour a surface has at an angle and a length.

Angles are radians (0 in front, positive to the person's left), lengths metres from
the upper end of a tube; see `crosscam.synthetic.canvas.Cloth`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from crosscam.synthetic.canvas import Cloth, Floats
from crosscam.synthetic.people import Colour
from crosscam.synthetic.portable import rounded

Mask = Callable[[Floats, Floats], NDArray[np.bool_]]

FADE = (0.08, 0.48)  # metres between which one colour turns into the other

# Where the second colour is. Patterns are coarse, 6 cm at least: one row of the
# weakest camera is 2 cm.
PATTERNS: dict[str, Mask] = {
    "plain": lambda angle, _: np.zeros(angle.shape, dtype=np.bool_),
    "hoops": lambda _, length: _waves(length / 0.13),
    "pinstripes": lambda angle, _: _waves(_columns(angle, 7)),
    "checks": lambda angle, length: _waves(_columns(angle, 5)) ^ _waves(length / 0.2),
    "dots": lambda angle, length: _dots(_columns(angle, 7), length / 0.13),
    "halves": lambda _, length: length > 0.26,
    "band": lambda _, length: np.abs(length - 0.24) < 0.055,
    "logo": lambda angle, length: (
        (np.abs(np.abs(angle) - np.pi * (np.abs(angle) > 2)) < 0.75)
        & (np.abs(length - 0.24) < 0.1)
    ),
    "sash": lambda angle, length: (
        np.abs(length - 0.26 - 0.2 * rounded(np.sin, angle)) < 0.06
    ),
    "side": lambda angle, _: np.abs(np.abs(angle) - np.pi / 2) < 0.5,
    "hem": lambda _, length: length > 0.3,
}
STRAPS: dict[str, Mask] = {
    "backpack": lambda angle, length: (
        (np.abs(np.abs(angle) - 0.75) < 0.2) & (length < 0.38)
    ),
    "shoulder": lambda angle, length: (
        np.abs(length - 0.27 - 0.25 * rounded(np.sin, angle)) < 0.028
    ),
}


def plain(colour: Colour) -> Cloth:
    """Return a cloth of one colour."""
    only = np.array(colour, dtype=np.float32)
    return lambda angle, _: np.broadcast_to(only, (*angle.shape, 3))


def fabric(ground: Colour, second: Colour, pattern: str) -> Cloth:
    """Return a cloth of two colours; `pattern` is "fade" or one of `PATTERNS`."""
    if pattern == "fade":
        return _fading(ground, second)
    return overlaid(plain(ground), second, PATTERNS[pattern])


def overlaid(cloth: Cloth, colour: Colour, where: Mask) -> Cloth:
    """Return a cloth that has another colour somewhere."""
    second = np.array(colour, dtype=np.float32)
    return lambda angle, length: np.where(
        where(angle, length)[:, None], second, cloth(angle, length)
    )


def opened(cloth: Cloth, inner: Colour) -> Cloth:
    """Return a jacket over a shirt: the shirt shows in a wedge in front."""
    return overlaid(
        cloth, inner, lambda angle, length: np.abs(angle) < 0.3 + 0.5 * length
    )


def face(skin: Colour, hair: Colour, hairline: float, sides: float) -> Cloth:
    """Return a head: hair above `hairline` metres and beyond the angle `sides`."""
    eyes = (skin[0] * 0.45, skin[1] * 0.4, skin[2] * 0.4)
    with_eyes = overlaid(
        plain(skin),
        eyes,
        lambda angle, length: (
            (np.abs(np.abs(angle) - 0.42) < 0.22) & (np.abs(length - 0.085) < 0.016)
        ),
    )
    return overlaid(
        with_eyes,
        hair,
        lambda angle, length: (length < hairline) | (np.abs(angle) > sides),
    )


def _fading(ground: Colour, second: Colour) -> Cloth:
    first = np.array(ground, dtype=np.float32)
    step = np.array(second, dtype=np.float32) - first
    start, end = FADE
    return lambda _, length: (
        first + np.clip((length - start) / (end - start), 0, 1)[:, None] * step
    )


def _columns(angle: Floats, count: int) -> Floats:
    """Return the phase of `count` periods around the body, symmetric to the front."""
    return angle * (count / (2 * np.pi)) + 0.25


def _waves(phase: Floats) -> NDArray[np.bool_]:
    return phase % 1 < 0.5


def _dots(column: Floats, row: Floats) -> NDArray[np.bool_]:
    shifted = column + 0.5 * (np.floor(row) % 2)
    return (shifted % 1 - 0.5) ** 2 + (row % 1 - 0.5) ** 2 < 0.1
