"""The body and the clothes of a person, as tubes."""

from __future__ import annotations

import numpy as np

from crosscam.synthetic.accessories import bag_tubes, hair_tubes, hat_tubes
from crosscam.synthetic.canvas import Cloth, Tube
from crosscam.synthetic.cloth import STRAPS, fabric, opened, overlaid, plain
from crosscam.synthetic.people import Person
from crosscam.synthetic.skeleton import SIDES, Gait, Joints, walking_joints

# Half-widths in metres of a person of 1.70 m and medium build, from top to bottom.
TRUNK = (0.075, 0.175, 0.195, 0.185, 0.172, 0.162, 0.155, 0.155, 0.162, 0.17)
COAT = (*TRUNK, 0.185, 0.195, 0.205)
THIGH, CALF = (0.088, 0.078, 0.058), (0.056, 0.056, 0.036)
SLIM_LEG = ((0.088, 0.078, 0.06), (0.06, 0.062, 0.05))
WIDE_LEG = ((0.095, 0.095, 0.095), (0.095, 0.1, 0.105))
ALL_OVER = {"hoops", "checks", "dots"}  # patterns that go on over the sleeves


def walking_figure(person: Person, phase: float, stride: float) -> list[Tube]:
    """Return a person at one moment of a walk, in body coordinates.

    Skirts shorten the stride; an arm that carries something hangs straight.
    """
    held = {"tote": ("left",), "case": ("right",)}.get(person.bag, ())
    shortened = 0.5 if _has_skirt(person) else 1.0
    gait = Gait(phase=phase, stride=stride * shortened, held=held)
    joints = walking_joints(person.height, person.build, gait)
    return [
        *_legs(person, joints),
        *_hips(person, joints),
        *_torso(person, joints),
        *_arms(person, joints),
        *hair_tubes(person, joints),
        *hat_tubes(person, joints),
        *bag_tubes(person, joints),
    ]


def _has_skirt(person: Person) -> bool:
    return person.bottom in {"skirt", "long skirt"}


def _legs(person: Person, joints: Joints) -> list[Tube]:
    skin, cloth = plain(person.skin), _bottom_cloth(person)
    has_trousers = person.bottom in {"trousers", "wide"}
    leg = cloth if has_trousers else skin
    thigh, calf = {"trousers": SLIM_LEG, "wide": WIDE_LEG}.get(
        person.bottom, (THIGH, CALF)
    )
    tubes = []
    for side, _ in SIDES:
        hip, knee = joints[f"{side} hip"], joints[f"{side} knee"]
        ankle = joints[f"{side} ankle"]
        tubes += _shoe(person, joints, side)
        tubes.append(Tube(knee, ankle, _scaled(person, calf), 1.0, leg))
        if not _has_skirt(person):  # below a skirt the thigh would poke through
            tubes.append(Tube(hip, knee, _scaled(person, thigh), 1.0, leg))
        if person.bottom == "shorts":
            hem = hip + 0.85 * (knee - hip)
            tubes.append(Tube(hip, hem, _scaled(person, (0.09, 0.1)), 1.0, cloth, 0.1))
    return tubes


def _shoe(person: Person, joints: Joints, side: str) -> list[Tube]:
    shoe = plain(person.shoe_colour)
    knee, ankle, toe = (joints[f"{side} {name}"] for name in ("knee", "ankle", "toe"))
    tubes = [Tube(ankle, toe, (0.04, 0.045, 0.035), 0.8, shoe)]
    if person.boots:
        top = ankle + 0.5 * (knee - ankle)
        widths = _scaled(person, (0.066, 0.06, 0.05))
        tubes.append(Tube(top, ankle, widths, 1.0, shoe, 0.2))
    return tubes


def _hips(person: Person, joints: Joints) -> list[Tube]:
    cloth, pelvis = _bottom_cloth(person), joints["pelvis"]
    waist = pelvis + np.array([0.0, 0.09 * person.height, 0.0])
    seat = pelvis - np.array([0.0, 0.02 * person.height, 0.0])
    tubes = [Tube(waist, seat, _scaled(person, (0.14, 0.16)), 0.58, cloth, 0.4)]
    if _has_skirt(person):
        is_long = person.bottom == "long skirt"
        knees = (joints["left knee"] + joints["right knee"]) / 2
        hem = waist + (1.6 if is_long else 1.04) * (knees - waist)
        widths = _scaled(person, (0.14, 0.185, 0.25 if is_long else 0.23))
        tubes.append(Tube(waist, hem, widths, 1.0, cloth, 0.15))
    return tubes


def _torso(person: Person, joints: Joints) -> list[Tube]:
    neck, pelvis = joints["neck"], joints["pelvis"]
    below = neck - np.array([0.0, 0.04, 0.0])
    throat = Tube(joints["head"], below, (0.055,), 1.0, plain(person.skin))
    is_coat = person.top_length == "coat"
    hem = pelvis + (-0.32 if is_coat else 0.08) * (neck - pelvis)
    widths = _scaled(person, COAT if is_coat else TRUNK)
    depth = 0.76 if is_coat else 0.64  # a coat hangs in front of the thighs
    return [throat, Tube(neck, hem, widths, depth, _top_cloth(person), 0.12)]


def _arms(person: Person, joints: Joints) -> list[Tube]:
    skin, sleeve = plain(person.skin), _sleeve_cloth(person)
    is_long, is_bare = person.sleeves == "long", person.sleeves == "none"
    tubes = []
    for side, _ in SIDES:
        shoulder, elbow = joints[f"{side} shoulder"], joints[f"{side} elbow"]
        wrist, hand = joints[f"{side} wrist"], joints[f"{side} hand"]
        upper = _scaled(person, (0.054, 0.056, 0.052))
        lower = _scaled(person, (0.052, 0.046) if is_long else (0.044, 0.039))
        tubes += [
            Tube(shoulder, elbow, upper, 1.0, skin if is_bare else sleeve),
            Tube(elbow, wrist, lower, 1.0, sleeve if is_long else skin),
            Tube(wrist, hand, (0.036, 0.038), 0.8, skin),
        ]
    return tubes


def _top_cloth(person: Person) -> Cloth:
    cloth = fabric(person.top_colour, person.top_second, person.top_pattern)
    if person.is_open:
        cloth = opened(cloth, person.top_second)
    if person.bag in STRAPS:
        cloth = overlaid(cloth, person.bag_colour, STRAPS[person.bag])
    return cloth


def _sleeve_cloth(person: Person) -> Cloth:
    colour = person.top_second if person.has_second_sleeves else person.top_colour
    pattern = person.top_pattern if person.top_pattern in ALL_OVER else "plain"
    return fabric(colour, person.top_second, pattern)


def _bottom_cloth(person: Person) -> Cloth:
    return fabric(person.bottom_colour, person.bottom_second, person.bottom_pattern)


def _scaled(person: Person, widths: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(width * person.build * person.height / 1.7 for width in widths)
