from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from crosscam.synthetic.cameras import CAMERAS
from crosscam.synthetic.passage import NUM_STRANGERS, Moment
from crosscam.synthetic.plan import Shot, World, plan_shots
from crosscam.synthetic.render import compose, population, render_shot

WORLD = World(0, 2, 3, 3, 2, 1, 1)
PEOPLE = population(WORLD)
STILL = Moment(
    yaw=0.2,
    pitch=0.2,
    phase=0.5,
    stride=0.3,
    place=0.4,
    tint=(1.0, 1.0, 1.0),
    zoom=1.1,
    shift=(0.0, 0.0),
    smear=0.0,
    obstacle="none",
    obstacle_x=0.3,
    passer_by=False,
    stranger=0,
)


def picture(**changes: object) -> np.ndarray:
    moment = replace(STILL, **changes)
    return compose(CAMERAS[0], moment, PEOPLE[0], PEOPLE[1])


def person_mask(**changes: object) -> np.ndarray:
    """Return where nothing changes while the background moves."""
    pictures = np.stack([
        picture(**changes, place=place) for place in (0.1, 0.4, 0.6, 0.7, 0.9)
    ])
    return np.ptp(pictures, axis=0).max(2) == 0


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data))).astype(float)


def test_shots_can_be_rendered_in_any_order():
    shots = plan_shots(WORLD)[:6]
    forward = [render_shot(0, shot, PEOPLE) for shot in shots]
    backward = [render_shot(0, shot, PEOPLE) for shot in reversed(shots)]
    assert forward == backward[::-1]
    assert len(set(forward)) == len(forward)


def test_the_seed_changes_the_image_of_a_shot():
    shot = plan_shots(WORLD)[0]
    assert render_shot(0, shot, PEOPLE) != render_shot(1, shot, PEOPLE)


def test_people_depend_on_the_seed_and_strangers_follow():
    assert len(PEOPLE) == 5 + NUM_STRANGERS
    assert population(WORLD) == PEOPLE
    assert population(replace(WORLD, seed=1)) != PEOPLE


def test_nobody_changes_if_the_number_of_images_does():
    assert population(replace(WORLD, images_per_tracklet=5, junk=9)) == PEOPLE


def test_the_person_fills_the_box():
    mask = person_mask(zoom=1.1)
    rows = np.flatnonzero(mask.any(axis=1))
    assert rows.min() < 0.1 * 256
    assert rows.max() > 0.9 * 256
    assert 0.2 < mask.mean() < 0.6


@pytest.mark.parametrize("obstacle", ["post", "bin", "stranger"])
def test_obstacles_stand_in_front(obstacle: str):
    changed = np.abs(picture() - picture(obstacle=obstacle)).max(2) > 0.05
    assert 100 < changed.sum() < 0.5 * changed.size
    covered = picture(obstacle=obstacle, obstacle_x=0.02)
    assert (np.abs(picture() - covered).max(2) > 0.05)[:, 40:88].sum() > 300


def test_passers_by_stay_behind():
    with_other = picture(passer_by=True)
    assert (np.abs(picture() - with_other).max(2) > 0.05).sum() > 300
    body = person_mask()
    assert body.sum() > 5000
    assert np.array_equal(picture()[body], with_other[body])


def test_a_shadow_lies_around_the_feet():
    pictures = [picture(place=place) for place in np.linspace(0, 1, 8)]
    ground = np.mean(pictures, axis=(0, 3))[
        ~person_mask().any(1)
    ]  # rows below the feet
    feet, aside = ground[-12:, 54:74].mean(), ground[-12:, :10].mean()
    assert feet < 0.85 * aside


def test_moving_the_box_moves_the_person():
    rows, columns = np.nonzero(person_mask())
    _, moved = np.nonzero(person_mask(shift=(0.05, 0.0)))
    assert moved.mean() == pytest.approx(columns.mean() - 0.05 * 256, abs=1.5)
    moved, _ = np.nonzero(person_mask(shift=(0.0, 0.02)))
    assert moved.mean() == pytest.approx(rows.mean() + 0.02 * 256, abs=1.5)


def test_the_place_moves_the_background():
    corner = [picture(place=place)[:40, :20] for place in (0.1, 0.6)]
    assert np.abs(corner[0] - corner[1]).mean() > 0.01


def test_junk_is_badly_cut():
    good = Shot("gallery", 1, 0, 1, 0, 1, person=0, tracklet=0, step=0)
    junk = replace(good, pid=-1)
    difference = decoded(render_shot(0, good, PEOPLE)) - decoded(
        render_shot(0, junk, PEOPLE)
    )
    assert np.abs(difference).mean() > 10


def test_no_two_junk_images_are_one():
    shots = [s for s in plan_shots(replace(WORLD, junk=40)) if s.pid == -1]
    assert len({render_shot(0, shot, PEOPLE) for shot in shots}) == 40


def test_a_distractor_shows_nobody():
    shots = [
        Shot("gallery", 0, 2, 1, 0, 1, person=-1, tracklet=number, step=0)
        for number in range(4)
    ]
    other = population(replace(WORLD, seed=7))
    strangers = PEOPLE[-NUM_STRANGERS:]
    for shot in shots:
        assert render_shot(0, shot, PEOPLE) == render_shot(
            0, shot, other[:5] + strangers
        )


def test_cameras_differ_more_than_the_moments_of_one():
    def shot(camid: int, step: int) -> np.ndarray:
        one = Shot("train", 1, camid, 1, 0, 1, person=0, tracklet=0, step=step)
        return decoded(render_shot(0, one, PEOPLE)).mean((0, 1))

    within = max(np.abs(shot(c, 0) - shot(c, 1)).max() for c in range(len(CAMERAS)))
    colours = np.array([shot(c, 0) for c in range(len(CAMERAS))])
    assert np.ptp(colours, axis=0).max() > 2 * within
