"""How a person passes a camera: what is drawn once per tracklet, and what per image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crosscam.synthetic.cameras import Camera

NUM_STRANGERS = 16


@dataclass(frozen=True)
class Moment:
    """One image of a tracklet.

    Parameters
    ----------
    yaw, pitch
        Radians; see `crosscam.synthetic.skeleton.View`.
    phase, stride
        See `crosscam.synthetic.skeleton.Gait`.
    place
        Where along the scene the person is, on [0, 1].
    tint
        Factors of red, green and blue: the brightness and the colour of the light.
    zoom
        Height of the detection box as a factor of the person's height.
    shift
        Offset of the box to the right and upwards, as fractions of its height.
    smear
        Share of the horizontal resolution lost to motion, on [0, 1).
    obstacle
        What stands in front: "none", "post", "bin" or "stranger".
    obstacle_x
        Metres by which it stands to the right of the person.
    passer_by
        Whether a stranger walks behind, on the other side.
    stranger
        Number of that stranger, below `NUM_STRANGERS`.
    """

    yaw: float
    pitch: float
    phase: float
    stride: float
    place: float
    tint: tuple[float, float, float]
    zoom: float
    shift: tuple[float, float]
    smear: float
    obstacle: str
    obstacle_x: float
    passer_by: bool
    stranger: int


def draw_moment(
    camera: Camera, tracklet: np.random.Generator, image: np.random.Generator, step: int
) -> Moment:
    """Return the image `step` of a tracklet.

    `tracklet` must be a fresh generator of the same seed for all images of a tracklet:
    they share direction, place and obstacles, and move on by `step`.
    """
    turned = 180.0 if camera.two_way and tracklet.random() < 0.5 else 0.0
    yaw = camera.yaw + turned + camera.yaw_spread * tracklet.normal()
    yaw += step * 4 * tracklet.normal() + 3 * image.normal()
    heading = np.sin(np.radians(yaw))
    start, speed = tracklet.random(), tracklet.uniform(0.015, 0.035)
    place = (start + step * (speed * heading + 0.006)) % 1
    phase = tracklet.uniform(0, 2 * np.pi) + step * tracklet.uniform(2.2, 3.0)
    stride = tracklet.uniform(0.3, 0.48)
    brightness = 0.12 * tracklet.normal() + 0.04 * image.normal()
    tint = np.exp(brightness + 0.1 * tracklet.normal(size=3))
    tint *= 1 - camera.shade * _shadow(place)
    obstacle = str(
        tracklet.choice(("none", "post", "bin", "stranger"), p=(0.94, 0.02, 0.02, 0.02))
    )
    side = -1.0 if tracklet.random() < 0.5 else 1.0
    return Moment(
        yaw=float(np.radians(yaw)),
        pitch=float(np.radians(camera.pitch + 2 * tracklet.normal())),
        phase=float(phase + 0.3 * image.normal()),
        stride=float(stride),
        place=float(place),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
        zoom=float(1.06 + 0.035 * image.normal()),
        shift=(float(0.025 * image.normal()), float(0.022 * image.normal())),
        smear=float(max(0.0, image.uniform(-0.8, 0.4))),
        obstacle=obstacle,
        obstacle_x=float(side * (tracklet.uniform(0.25, 0.5) + 0.1 * step * heading)),
        passer_by=bool(tracklet.random() < 0.1),
        stranger=int(tracklet.integers(NUM_STRANGERS)),
    )


def _shadow(place: float) -> float:
    """Return the depth of the shade on [0, 1]: two soft-edged shadows per scene."""
    return float(np.clip(0.5 + 1.6 * np.sin(4 * np.pi * place), 0, 1))
