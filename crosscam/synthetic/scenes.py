"""What stands behind the people: one wide picture per scene.

Nothing here depends on a seed: the places are fixed, as the cameras are.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from crosscam.synthetic.cameras import Scene

WIDTH, HEIGHT = 1536, 384  # pixels; 128 of them are about one metre
FLOOR = 322  # row on which people stand
CAR_PAINTS = (
    (188, 190, 192),
    (52, 54, 60),
    (122, 44, 42),
    (64, 84, 122),
    (150, 146, 134),
)

_Draw = ImageDraw.ImageDraw
_RNG = np.random.Generator


@lru_cache
def panorama(scene: Scene) -> Image.Image:
    """Return the picture of a scene, RGB, `WIDTH` × `HEIGHT`."""
    paint, horizon, ground = {
        "plaza": (_plaza, 120, (186, 176, 160)),
        "street": (_street, 190, (98, 98, 102)),
        "corridor": (_corridor, 110, (150, 152, 146)),
        "park": (_park, 150, (118, 134, 84)),
        "station": (_station, 140, (164, 156, 148)),
        "garage": (_garage, 130, (112, 112, 112)),
    }[scene]
    image = Image.new("RGB", (WIDTH, HEIGHT), ground)
    draw = ImageDraw.Draw(image)
    rng = np.random.default_rng(list(scene.encode()))
    paint(draw, rng, horizon)
    blurred = image.filter(ImageFilter.GaussianBlur(1.2))
    return _grained(blurred, rng)


def _grained(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    grain = rng.normal(0, 5, (HEIGHT, WIDTH, 1))
    patches = rng.normal(0, 9, (HEIGHT // 16, WIDTH // 16)).astype(np.float32)
    smooth = Image.fromarray(patches).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    pixels = np.asarray(image) + grain + np.asarray(smooth)[:, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _plaza(draw: _Draw, rng: _RNG, horizon: int) -> None:
    _facade(draw, rng, horizon, (176, 140, 110), (84, 96, 110))
    _tiles(draw, horizon, (166, 156, 140), 46)
    for x in range(90, WIDTH, 330):
        _bench(draw, x, horizon + 50)


def _street(draw: _Draw, rng: _RNG, horizon: int) -> None:
    _facade(draw, rng, horizon, (120, 92, 84), (50, 54, 62))
    draw.rectangle((0, horizon, WIDTH, horizon + 26), fill=(140, 138, 132))
    draw.rectangle((0, horizon + 26, WIDTH, horizon + 32), fill=(80, 80, 82))
    for x in range(20, WIDTH, 300):
        colour = CAR_PAINTS[rng.integers(len(CAR_PAINTS))]
        _car(draw, x + int(rng.integers(0, 60)), horizon + 40, colour)
    for x in range(0, WIDTH, 150):
        draw.rectangle((x, HEIGHT - 36, x + 80, HEIGHT - 26), fill=(206, 206, 200))


def _corridor(draw: _Draw, rng: _RNG, horizon: int) -> None:
    draw.rectangle((0, 0, WIDTH, horizon), fill=(204, 206, 196))
    draw.rectangle((0, horizon - 46, WIDTH, horizon), fill=(112, 140, 136))
    for x in range(40, WIDTH, 250):
        draw.rectangle((x, 0, x + 92, horizon), fill=(126, 92, 64))
        draw.rectangle((x + 76, horizon // 2, x + 84, horizon // 2 + 8), fill="white")
        poster = tuple(rng.integers(60, 220, 3).tolist())
        draw.rectangle((x + 132, 14, x + 196, horizon - 54), fill=poster)
    _tiles(draw, horizon, (136, 138, 132), 70)
    draw.polygon(
        ((0, HEIGHT), (0, horizon + 90), (WIDTH, horizon + 60), (WIDTH, HEIGHT)),
        outline=(176, 178, 172),
    )


def _park(draw: _Draw, rng: _RNG, horizon: int) -> None:
    draw.rectangle((0, 0, WIDTH, horizon), fill=(150, 168, 160))
    for _ in range(240):
        x, y = int(rng.integers(-40, WIDTH)), int(rng.integers(-30, horizon - 20))
        size, green = int(rng.integers(24, 70)), int(rng.integers(60, 120))
        draw.ellipse((x, y, x + size, y + size), fill=(green - 16, green + 10, 48))
    for trunk in range(60, WIDTH, 190):
        box = (trunk, horizon - 70, trunk + 16, horizon + 12)
        draw.rectangle(box, fill=(84, 66, 50))
    path = ((0, 250), (WIDTH, 225), (WIDTH, 350), (0, HEIGHT))
    draw.polygon(path, fill=(178, 164, 138))


def _station(draw: _Draw, rng: _RNG, horizon: int) -> None:
    draw.rectangle((0, 0, WIDTH, horizon), fill=(132, 122, 116))
    for x in range(0, WIDTH, 220):
        shop = tuple(rng.integers(70, 210, 3).tolist())
        draw.rectangle((x + 34, 20, x + 190, horizon), fill=(214, 206, 186))
        draw.rectangle((x + 34, 20, x + 190, 48), fill=shop)
        draw.rectangle((x, 0, x + 30, horizon + 26), fill=(90, 86, 90))
    _tiles(draw, horizon, (148, 138, 130), 58)
    draw.rectangle((0, 250, WIDTH, 262), fill=(206, 182, 70))


def _garage(draw: _Draw, rng: _RNG, horizon: int) -> None:
    draw.rectangle((0, 0, WIDTH, horizon), fill=(142, 142, 138))
    draw.rectangle((0, horizon - 30, WIDTH, horizon - 16), fill=(170, 150, 60))
    for x in range(30, WIDTH, 240):
        colour = CAR_PAINTS[rng.integers(len(CAR_PAINTS))]
        _car(draw, x + 40, horizon - 22, colour)
        draw.rectangle((x, 0, x + 34, horizon + 44), fill=(168, 168, 164))
        draw.line(
            (x + 100, horizon + 40, x + 60, HEIGHT), fill=(196, 196, 190), width=6
        )


def _facade(
    draw: _Draw,
    rng: _RNG,
    horizon: int,
    wall: tuple[int, int, int],
    glass: tuple[int, int, int],
) -> None:
    draw.rectangle((0, 0, WIDTH, horizon), fill=wall)
    for x in range(20, WIDTH, 110):
        shift = int(rng.integers(-14, 15))
        lit = tuple(channel + 3 * shift for channel in glass)
        draw.rectangle((x, 12, x + 62, horizon - 40), fill=lit)
        draw.line((x + 31, 12, x + 31, horizon - 40), fill=wall, width=4)


def _tiles(draw: _Draw, top: int, colour: tuple[int, int, int], step: int) -> None:
    row, gap = float(top), 9.0
    while row < HEIGHT:
        draw.line((0, row, WIDTH, row), fill=colour, width=2)
        row, gap = row + gap, gap * 1.3
    for x in range(-WIDTH, 2 * WIDTH, step):
        slope = (x - WIDTH / 2) * 0.5
        draw.line((x, top, x + slope, HEIGHT), fill=colour, width=2)


def _bench(draw: _Draw, x: int, y: int) -> None:
    draw.rectangle((x, y - 34, x + 120, y - 18), fill=(104, 74, 52))
    draw.rectangle((x, y - 8, x + 120, y), fill=(104, 74, 52))
    for leg in (x + 8, x + 104):
        draw.rectangle((leg, y - 30, leg + 8, y + 18), fill=(52, 52, 54))


def _car(draw: _Draw, x: int, y: int, colour: tuple[int, ...]) -> None:
    draw.polygon(
        ((x + 30, y - 34), (x + 56, y - 66), (x + 140, y - 66), (x + 170, y - 34)),
        fill=(60, 66, 74),
    )
    draw.rounded_rectangle((x, y - 36, x + 200, y + 6), 12, fill=colour)
    for wheel in (x + 26, x + 142):
        draw.ellipse((wheel, y - 12, wheel + 34, y + 22), fill=(30, 30, 32))
