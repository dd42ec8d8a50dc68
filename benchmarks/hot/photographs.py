"""JPEG files to decode."""

from __future__ import annotations

from crosscam.synthetic.plan import World, plan_shots
from crosscam.synthetic.render import population, render_shot

WORLD = World(10, 60, 90, 5, 4, 80, 40)  # recipes/default.yaml


def photographs(num: int) -> list[bytes]:
    """Return images of the embedded synthetic dataset, 64 × 128 pixels."""
    people = population(WORLD)
    return [render_shot(WORLD.seed, shot, people) for shot in plan_shots(WORLD)[:num]]
