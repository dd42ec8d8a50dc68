"""From a shot to the bytes of its JPEG file."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from crosscam.synthetic.cameras import CAMERAS, Camera
from crosscam.synthetic.canvas import Canvas, Floats, Light, Tube
from crosscam.synthetic.cloth import plain
from crosscam.synthetic.figure import walking_figure
from crosscam.synthetic.passage import NUM_STRANGERS, Moment, draw_moment
from crosscam.synthetic.people import Person, draw_people
from crosscam.synthetic.plan import JUNK_PID, Shot, World
from crosscam.synthetic.portable import rounded
from crosscam.synthetic.scenes import FLOOR, HEIGHT, WIDTH, panorama
from crosscam.synthetic.sensor import IMAGE_SIZE, expose
from crosscam.synthetic.skeleton import View

SUPERSAMPLING = 2
PIXELS_PER_METRE = 128  # of the panorama


def population(world: World) -> list[Person]:
    """Return all people of a world: pid ``p`` is number ``p - 1``; strangers follow."""
    rng = np.random.default_rng((world.seed, 1))
    return draw_people(rng, world.train_pids + world.test_pids + NUM_STRANGERS)


def render_shot(seed: int, shot: Shot, people: list[Person]) -> bytes:
    """Return the JPEG file of a shot, 64 × 128 pixels.

    All randomness comes from generators seeded by `seed` and the shot, so that shots
    can be rendered in any order.
    """
    camera = CAMERAS[shot.camid]
    key = (seed, 2, shot.person + 1, shot.camid, shot.tracklet)
    image = np.random.default_rng((*key, 1, shot.step))
    moment = draw_moment(camera, np.random.default_rng((*key, 0)), image, shot.step)
    if shot.pid == JUNK_PID:
        moment = _badly_cut(moment, image)
    person = people[shot.person] if shot.person >= 0 else None
    strangers = people[-NUM_STRANGERS:]
    picture = compose(camera, moment, person, strangers[moment.stranger])
    return expose(picture, camera, moment.tint, moment.smear, image)


def compose(
    camera: Camera, moment: Moment, person: Person | None, stranger: Person
) -> Floats:
    """Return the supersampled picture of a moment as the light would draw it.

    An array of shape (256, 128, 3) on [0, 1], before the camera's colours. Without a
    person the scene is empty but for strangers.
    """
    view = View(moment.yaw, moment.pitch)
    tubes = walking_figure(person, moment.phase, moment.stride) if person else []
    canvas = _canvas(camera, moment, view, tubes)
    light = Light(np.radians(camera.light), camera.ambient)
    if person:
        _cast_shadow(canvas)
    canvas.draw(tubes, view, light)
    if moment.passer_by:
        other = walking_figure(stranger, moment.phase + 1, moment.stride)
        aside = -0.5 * float(np.sign(moment.obstacle_x))
        turned = View(moment.yaw + 0.4, moment.pitch)
        canvas.draw(other, turned, light, _at(aside, -1.2, moment.pitch))
    turned = View(moment.yaw - 0.5, moment.pitch)
    where = _at(moment.obstacle_x, 0.9, moment.pitch)
    canvas.draw(_obstacle(moment, stranger), turned, light, where)
    return canvas.colour


def _obstacle(moment: Moment, stranger: Person) -> list[Tube]:
    """Return what stands in front of the person, if anything."""
    ground = np.zeros(3)
    if moment.obstacle == "stranger":
        return walking_figure(stranger, moment.phase + 2, moment.stride)
    if moment.obstacle == "post":
        steel = plain((0.35, 0.36, 0.38))
        return [Tube(np.array([0.0, 2.6, 0.0]), ground, (0.06,), 1.0, steel)]
    if moment.obstacle == "bin":
        tin = plain((0.22, 0.34, 0.28))
        return [Tube(np.array([0.0, 0.85, 0.0]), ground, (0.26,), 1.0, tin, 0.3)]
    return []


def _canvas(camera: Camera, moment: Moment, view: View, tubes: list[Tube]) -> Canvas:
    """Return the background, cut so that the person fills the detection box."""
    ends = [view.project(p)[1] for tube in tubes for p in (tube.start, tube.end)]
    low, high = (min(ends) - 0.04, max(ends) + 0.06) if ends else (-0.05, 1.7)
    rows, columns = (SUPERSAMPLING * size for size in IMAGE_SIZE)
    scale = rows / (moment.zoom * (high - low))
    right, up = moment.shift
    origin = (
        columns / 2 - right * rows,
        rows / 2 + scale * (low + high) / 2 + up * rows,
    )
    step = PIXELS_PER_METRE / scale  # panorama pixels per canvas pixel
    left = moment.place * (WIDTH - columns * step)
    top = float(np.clip(FLOOR - origin[1] * step, 0, max(HEIGHT - rows * step, 0)))
    box = (left, top, left + columns * step, min(top + rows * step, HEIGHT))
    scene = panorama(camera.scene)
    cut = scene.resize((columns, rows), Image.Resampling.BILINEAR, box=box)
    return Canvas(np.array(cut, dtype=np.float32) / np.float32(255), scale, origin)


def _cast_shadow(canvas: Canvas) -> None:
    """Darken the ground below the person; nothing else may be painted yet."""
    column, row = canvas.origin
    height, width, _ = canvas.colour.shape
    y = (np.arange(height, dtype=np.float32)[:, None] - row) / (0.12 * canvas.scale)
    x = (np.arange(width, dtype=np.float32) - column) / (0.3 * canvas.scale)
    canvas.colour *= 1 - 0.5 * rounded(np.exp, -(x**2) - y**2)[:, :, None]


def _at(right: float, near: float, pitch: float) -> tuple[float, float, float]:
    """Return view coordinates of a point on the ground beside the person."""
    x, y, z = View(0.0, pitch).project(np.array([right, 0.0, near])).tolist()
    return x, y, z


def _badly_cut(moment: Moment, rng: np.random.Generator) -> Moment:
    """Return the moment as a failing detector boxes it: a part, or far off."""
    angle = rng.uniform(0, 2 * np.pi)
    shift = (0.3 * float(np.cos(angle)), 0.4 * float(np.sin(angle)))
    return replace(moment, zoom=float(rng.uniform(0.55, 1.0)), shift=shift)
