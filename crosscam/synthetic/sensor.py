"""What a camera makes of the light: colour, resolution, noise and compression."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from crosscam.synthetic.cameras import Camera
from crosscam.synthetic.canvas import Floats
from crosscam.synthetic.portable import rounded

IMAGE_SIZE = (128, 64)  # height, width in pixels, as in Market-1501
LUMA = np.array((0.3, 0.59, 0.11), dtype=np.float32)
MIDDLE = 0.45  # the grey that contrast leaves alone
HAZE = 0.75  # the grey that haze turns everything into


def expose(
    picture: Floats,
    camera: Camera,
    tint: tuple[float, float, float],
    smear: float,
    rng: np.random.Generator,
) -> bytes:
    """Return the JPEG file of a picture as a camera would store it.

    Parameters
    ----------
    picture
        Array of shape (height, width, 3), brightness on [0, 1].
    camera
        The sensor.
    tint
        Factors of red, green and blue: the brightness and the colour of the light.
    smear
        Share of the horizontal resolution lost to motion, on [0, 1).
    rng
        Source of the sensor noise.
    """
    height, width = IMAGE_SIZE
    rows = camera.rows
    columns = max(8, round(rows * width / height * (1 - smear)))
    image = _image(picture).resize((columns, rows), Image.Resampling.BOX)
    colours = develop(np.array(image, dtype=np.float32) / np.float32(255), camera, tint)
    colours += rng.normal(0, camera.noise, colours.shape).astype(np.float32)
    stored = _image(colours).resize((width, height), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    stored.save(buffer, "JPEG", quality=camera.quality)
    return buffer.getvalue()


def develop(pixels: Floats, camera: Camera, tint: tuple[float, float, float]) -> Floats:
    """Return the colours that a camera shows for the colours of the scene.

    Both on [0, 1]: light and white balance, saturation, tone curve, contrast, haze.
    Every step is smooth and increasing, but for the clipping at 0 and 1.
    """
    gains = np.array(camera.gains, dtype=np.float32) * np.array(tint, dtype=np.float32)
    balanced = pixels * gains
    # Not balanced @ LUMA: how BLAS adds up depends on the CPU.
    luma = balanced * LUMA
    grey = luma[..., :1] + luma[..., 1:2] + luma[..., 2:]
    saturated = np.clip(grey + camera.saturation * (balanced - grey), 0, 1)
    # The exponent as numpy rounds it beside float32: the published images have that.
    toned = rounded(lambda levels: levels ** np.float32(camera.gamma), saturated)
    shown = MIDDLE + camera.contrast * (toned - MIDDLE)
    hazy: Floats = shown * (1 - camera.haze) + HAZE * camera.haze
    return np.clip(hazy, 0, 1).astype(np.float32)


def _image(pixels: Floats) -> Image.Image:
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
