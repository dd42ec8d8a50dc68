"""Hair, hats and bags, as tubes; lengths in metres."""

from __future__ import annotations

import numpy as np

from crosscam.synthetic.canvas import Cloth, Tube
from crosscam.synthetic.cloth import face, plain
from crosscam.synthetic.people import Person
from crosscam.synthetic.skeleton import Joints, Point

SKULL = (0.088, 0.094, 0.068)


def hair_tubes(person: Person, joints: Joints) -> list[Tube]:
    """Return the head with its hair, below any hat."""
    head = joints["head"]
    top, chin = _beside(head, y=0.055), _beside(head, y=-0.06)
    if person.hair == "bald":
        skin = face(person.skin, person.skin, hairline=0.0, sides=np.pi)
        return [Tube(top, chin, SKULL, 1.1, skin)]
    skin = face(person.skin, person.hair_colour, hairline=0.03, sides=1.35)
    hair = plain(person.hair_colour)
    crown = Tube(
        _beside(top, y=0.02, z=-0.02), _beside(head, z=-0.03), (0.1,), 1.0, hair
    )
    back = _beside(head, z=-0.055)
    return [
        Tube(top, chin, SKULL, 1.1, skin),
        crown,
        *_haircut(person.hair, back, hair),
    ]


def _haircut(name: str, back: Point, hair: Cloth) -> list[Tube]:
    """Return what goes beyond short hair, at the `back` of the head."""
    if name == "bob":
        end = _beside(back, y=-0.12)
        return [Tube(_beside(back, y=0.04), end, (0.1, 0.135), 0.8, hair, 0.3)]
    if name == "long":
        end = _beside(back, y=-0.33)
        return [Tube(_beside(back, y=0.04), end, (0.1, 0.13, 0.12), 0.6, hair, 0.5)]
    if name == "bun":
        return [_ball(_beside(back, y=0.15), 0.065, hair)]
    if name == "afro":
        return [_ball(_beside(back, y=0.035), 0.14, hair)]
    return []


def hat_tubes(person: Person, joints: Joints) -> list[Tube]:
    """Return the hat, or nothing."""
    head, cloth = joints["head"], plain(person.hat_colour)
    if person.hat == "beanie":
        low = _beside(head, y=0.035)
        return [Tube(_beside(head, y=0.13), low, (0.09, 0.12), 1.0, cloth, 0.6)]
    low = _beside(head, y=0.05)
    crown = Tube(_beside(head, y=0.1), low, (0.112, 0.118), 1.0, cloth)
    if person.hat == "cap":
        back, front = _beside(head, y=0.055, z=0.08), _beside(head, y=0.03, z=0.2)
        return [crown, Tube(back, front, (0.075,), 0.3, cloth, 0.6)]
    if person.hat == "brim":
        low = _beside(head, y=0.04)
        brim = Tube(_beside(head, y=0.06), low, (0.2, 0.215), 1.0, cloth, 0.1)
        return [crown, brim]
    return []


def bag_tubes(person: Person, joints: Joints) -> list[Tube]:
    """Return the bag, or nothing; the straps of a bag are part of the top's cloth."""
    cloth = plain(person.bag_colour)
    if person.bag == "backpack":
        top = _beside(joints["neck"], y=-0.04, z=-0.17)
        low = _beside(joints["pelvis"], y=0.12, z=-0.19)
        return [Tube(top, low, (0.14, 0.17, 0.165), 0.6, cloth, 0.4)]
    if person.bag == "shoulder":
        return [
            _box(_beside(joints["left hip"], x=0.16, y=0.08), 0.22, 0.1, 1.5, cloth)
        ]
    if person.bag == "tote":
        hand = joints["left hand"]
        handle = Tube(hand, _beside(hand, y=-0.1), (0.02, 0.06), 1.0, cloth, 0.1)
        return [handle, _box(_beside(hand, x=0.02, y=-0.08), 0.3, 0.13, 1.3, cloth)]
    if person.bag == "case":
        hand = joints["right hand"]
        return [_box(_beside(hand, x=-0.02, y=-0.03), 0.24, 0.07, 3.0, cloth)]
    return []


def _ball(centre: Point, radius: float, cloth: Cloth) -> Tube:
    return Tube(centre, _beside(centre, y=-0.01), (radius,), 1.0, cloth)


def _box(top: Point, height: float, width: float, depth: float, cloth: Cloth) -> Tube:
    return Tube(top, _beside(top, y=-height), (width,), depth, cloth, 0.1)


def _beside(point: Point, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Point:
    shifted: Point = point + np.array([x, y, z])
    return shifted
