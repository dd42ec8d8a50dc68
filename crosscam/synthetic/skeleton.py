"""Walking skeletons, and how a camera sees them.

Body coordinates are metres: x to the person's left, y up from the ground, z forward.
View coordinates are metres too: x to the right of the picture, y up, z towards the
camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = NDArray[np.float64]  # (3,)
Joints = dict[str, Point]
SIDES = (("left", 1.0), ("right", -1.0))


@dataclass(frozen=True)
class Gait:
    """One moment of a walk.

    Parameters
    ----------
    phase
        Radians; the left leg swings forward at 0, the right leg at π.
    stride
        Largest angle of the thighs in radians; 0 stands still.
    lean
        How far the neck is ahead of the hips, as a fraction of the height.
    held
        Sides whose arm hangs straight, because it carries something.
    """

    phase: float
    stride: float
    lean: float = 0.02
    held: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """Orthographic camera: `yaw` turns the person, `pitch` looks down; radians."""

    yaw: float
    pitch: float

    def project(self, point: Point) -> Point:
        """Return view coordinates of a point in body coordinates."""
        x, y, z = point
        ahead = z * np.cos(self.yaw) - x * np.sin(self.yaw)
        return np.array([
            x * np.cos(self.yaw) + z * np.sin(self.yaw),
            y * np.cos(self.pitch) - ahead * np.sin(self.pitch),
            ahead * np.cos(self.pitch) + y * np.sin(self.pitch),
        ])


def walking_joints(height: float, build: float, gait: Gait) -> Joints:
    """Return the joints of a walking person in body coordinates.

    The lower foot stands on the ground. Lengths follow common body proportions
    (Drillis and Contini 1964), widths grow with `build`.
    """
    joints = {
        "pelvis": np.array([0.0, 0.5, 0.0]),
        "neck": np.array([0.0, 0.83, gait.lean]),
        "head": np.array([0.0, 0.935, gait.lean * 1.4]),
    }
    for side, sign in SIDES:
        phase = gait.phase if sign > 0 else gait.phase + np.pi
        joints |= _leg(side, sign, phase, gait)
        joints |= _arm(side, sign * (0.094 * build + 0.006), phase, gait)
    ground = min(joints["left ankle"][1], joints["right ankle"][1]) - 0.04
    return {
        name: (point - np.array([0.0, ground, 0.0])) * height
        for name, point in joints.items()
    }


def _leg(side: str, sign: float, phase: float, gait: Gait) -> Joints:
    thigh = gait.stride * np.sin(phase)
    # the knee bends most in the middle of the swing, where the thigh moves forward
    shin = thigh - 0.08 - 1.5 * gait.stride * max(0.0, np.cos(phase - 0.4))
    hip = np.array([sign * 0.052, 0.5, 0.0])
    knee = hip + 0.235 * _down(thigh, sign * 0.02)
    ankle = knee + 0.23 * _down(shin, 0.0)
    toe = ankle + 0.095 * np.array([sign * 0.2, -0.28 + shin * 0.6, 0.95])
    return {
        f"{side} hip": hip,
        f"{side} knee": knee,
        f"{side} ankle": ankle,
        f"{side} toe": toe,
    }


def _arm(side: str, across: float, phase: float, gait: Gait) -> Joints:
    is_held = side in gait.held
    upper = -0.15 * gait.stride if is_held else -0.9 * gait.stride * np.sin(phase)
    lower = upper + (0.05 if is_held else 0.25 + 0.5 * gait.stride)
    shoulder = np.array([across, 0.785, gait.lean * 0.9])
    elbow = shoulder + 0.165 * _down(upper, np.sign(across) * 0.16)
    wrist = elbow + 0.15 * _down(lower, np.sign(across) * 0.02)
    hand = wrist + 0.05 * _down(lower, 0.0)
    return {
        f"{side} shoulder": shoulder,
        f"{side} elbow": elbow,
        f"{side} wrist": wrist,
        f"{side} hand": hand,
    }


def _down(forward: float, outward: float) -> Point:
    return np.array([
        np.sin(outward),
        -np.cos(forward) * np.cos(outward),
        np.sin(forward) * np.cos(outward),
    ])
