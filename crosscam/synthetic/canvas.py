"""A canvas with a depth buffer that draws shaded, patterned tubes.

Everything about a pedestrian is a tube: an axis between two points, a half-width along
it and a cloth wrapped around it. The cloth is looked up by angle and length, so that
patterns foreshorten towards the outline and turn with the body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from crosscam.synthetic.portable import rounded
from crosscam.synthetic.skeleton import Point, View

Floats = NDArray[np.float32]
Cloth = Callable[[Floats, Floats], Floats]
"""Maps angles (radians, 0 in front, positive to the left) and lengths (metres from
the start of a tube), both (num_pixels,), to colours (num_pixels, 3) on [0, 1]."""


@dataclass(frozen=True)
class Tube:
    """A solid of elliptic sections around an axis; all lengths in metres.

    Parameters
    ----------
    start, end
        Ends of the axis in body coordinates.
    widths
        Half-widths (left to right) at even steps from the start to the end.
    depth
        Half-depth from back to front, as a fraction of the half-width.
    cloth
        Colours of the surface.
    cap
        Roundness of the ends: 1 a half sphere, near 0 flat.
    """

    start: Point
    end: Point
    widths: tuple[float, ...]
    depth: float
    cloth: Cloth
    cap: float = 1.0


@dataclass(frozen=True)
class Light:
    """Parallel light: `azimuth` in radians (negative from the left) and `ambient`."""

    azimuth: float
    ambient: float


Window = tuple[slice, slice]


class _Surface(NamedTuple):
    """What a tube shows in each pixel of a window.

    `inside` is the place along the axis on [0, 1]; `side`, `over` and `bulge` are the
    components of the unit normal across the axis, along it and towards the camera
    (`bulge` is 0 where the tube is not); `near` is the view coordinate z.
    """

    inside: Floats
    side: Floats
    over: Floats
    bulge: Floats
    near: Floats


class Canvas:
    """A picture painted over a background; what is nearer hides what is farther.

    Parameters
    ----------
    background
        Array of shape (height, width, 3) on [0, 1]; it is painted over.
    scale
        Pixels per metre.
    origin
        Column and row of the view coordinates (0, 0).
    """

    def __init__(
        self, background: Floats, scale: float, origin: tuple[float, float]
    ) -> None:
        self.colour = background
        self.scale = scale
        self.origin = origin
        self.depth = np.full(background.shape[:2], -np.inf, dtype=np.float32)

    def draw(
        self,
        tubes: Iterable[Tube],
        view: View,
        light: Light,
        offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> None:
        """Paint tubes, shifted by `offset` in view coordinates."""
        for tube in tubes:
            self._draw_tube(tube, view, light, np.array(offset))

    def _draw_tube(self, tube: Tube, view: View, light: Light, offset: Point) -> None:
        start, end = (view.project(p) + offset for p in (tube.start, tube.end))
        # A section is the ellipse (sin θ, depth · cos θ) times its half-width; seen
        # from yaw ψ it reaches to `seen` · sin(θ + `turn`) of that half-width.
        across, along = np.cos(view.yaw), tube.depth * np.sin(view.yaw)
        turn, seen = np.arctan2(along, across), np.hypot(across, along)
        window = self._window(start, end, max(tube.widths) * seen)
        if window is None:
            return
        surface = self._surface(tube, start, end, window, seen)
        hit = (surface.bulge > 0) & (surface.near > self.depth[window])
        if not hit.any():
            return
        self.depth[window][hit] = surface.near[hit]
        side, over, bulge = surface.side[hit], surface.over[hit], surface.bulge[hit]
        right, down = self._direction(start, end)
        shade = _lambert(
            over * right - side * down, over * down + side * right, bulge, light
        )
        # the side of a tube drawn downwards is positive on the left of the picture
        angle = rounded(np.arcsin, np.clip(-side, -1, 1)) - turn
        angle = (angle + np.pi) % (2 * np.pi) - np.pi
        length = surface.inside[hit] * np.float32(np.linalg.norm(tube.end - tube.start))
        colour = tube.cloth(angle.astype(np.float32), length)
        self.colour[window][hit] = colour * shade[:, None]

    def _surface(
        self, tube: Tube, start: Point, end: Point, window: Window, seen: float
    ) -> _Surface:
        rows, columns = window
        x0, y0 = self._pixel(start)
        right, down = self._direction(start, end)
        span = max(np.linalg.norm((end - start)[:2]) * self.scale, 1e-3)
        x = np.arange(columns.start, columns.stop, dtype=np.float32) + (0.5 - x0)
        y = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + (0.5 - y0)
        along = x * right + y * down
        inside = np.clip(along / span, 0, 1)
        knots = np.linspace(0, 1, len(tube.widths))
        reach = np.asarray(tube.widths) * (seen * self.scale)
        radius = np.interp(inside, knots, reach).astype(np.float32)
        side = (y * right - x * down) / radius
        over = (along - inside * span) / (radius * tube.cap)
        bulge = np.sqrt(np.maximum(1 - side**2 - over**2, 0))
        near = start[2] + (end[2] - start[2]) * inside
        near += bulge * radius * (max(tube.depth, 0.5) / self.scale)
        return _Surface(inside, side, over, bulge, near)

    def _direction(self, start: Point, end: Point) -> tuple[float, float]:
        right, down = float(end[0] - start[0]), float(start[1] - end[1])
        span = max(np.hypot(right, down), 1e-6)
        return right / span, down / span

    def _pixel(self, point: Point) -> tuple[float, float]:
        column, row = self.origin
        return column + point[0] * self.scale, row - point[1] * self.scale

    def _window(self, start: Point, end: Point, reach: float) -> Window | None:
        """Return the rows and columns that can be hit, or None outside the canvas."""
        (x0, y0), (x1, y1) = self._pixel(start), self._pixel(end)
        reach *= self.scale
        height, width, _ = self.colour.shape
        top, bottom = int(min(y0, y1) - reach), int(max(y0, y1) + reach) + 2
        left, right = int(min(x0, x1) - reach), int(max(x0, x1) + reach) + 2
        rows = slice(max(top, 0), min(bottom, height))
        columns = slice(max(left, 0), min(right, width))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return None
        return rows, columns


def _lambert(right: Floats, down: Floats, near: Floats, light: Light) -> Floats:
    """Return the light that a surface with these normals gives back, on [0, 1].

    The light falls from 32 degrees above the horizon.
    """
    facing = right * np.float32(0.85 * np.sin(light.azimuth))
    facing += near * np.float32(0.85 * np.cos(light.azimuth))
    facing -= down * np.float32(0.53)
    shade: Floats = light.ambient + (1 - light.ambient) * np.clip(facing, 0, 1)
    return shade
