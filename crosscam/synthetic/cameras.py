"""The cameras of the synthetic world: one fixed, curated table.

How hard it is to match people across two cameras depends on this table and not on the
seed of a world. Measured with five cameras and the seeds 0 to 3: the best histogram of
colours that we found (benchmarks/histogram.py) has a mAP of 26.1 to 28.5 across cameras
and a rank-1 of 99 within a camera; without normalising the cameras, 6.5 to 7.8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scene = Literal["plaza", "street", "corridor", "park", "station", "garage"]


@dataclass(frozen=True)
class Camera:
    """Where a camera hangs, and what its sensor makes of the light.

    Parameters
    ----------
    scene
        What stands behind the people.
    gains
        White balance: factors of red, green and blue.
    saturation
        Distance from grey is multiplied by this; 1 keeps colours.
    contrast
        Distance from middle grey is multiplied by this.
    gamma
        Exponent of the tone curve on [0, 1]; above 1 darkens the middle tones.
    haze
        Fraction of flat grey mixed in.
    rows
        Native rows per person box; the box is enlarged to 128 rows afterwards.
    noise
        Standard deviation of the sensor noise, on [0, 1].
    quality
        JPEG quality, 1 to 95.
    yaw, yaw_spread
        How people stand to the camera in degrees (0 faces it, 90 walks to the right
        of the picture, 180 shows the back), and the standard deviation of it.
    two_way
        Whether people come along the path in both directions.
    pitch
        Degrees by which the camera looks down.
    light
        Azimuth of the light in degrees; -90 comes from the left of the picture.
    ambient
        Fraction of the light that comes from everywhere.
    shade
        Fraction of the light lost in the shaded part of the scene.
    """

    scene: Scene
    gains: tuple[float, float, float]
    saturation: float
    contrast: float
    gamma: float
    haze: float
    rows: int
    noise: float
    quality: int
    yaw: float
    yaw_spread: float
    two_way: bool
    pitch: float
    light: float
    ambient: float
    shade: float


CAMERAS = (
    Camera(  # a bright square in the sun, people come towards the camera
        scene="plaza",
        gains=(1.04, 1.0, 0.93),
        saturation=1.1,
        contrast=1.1,
        gamma=0.92,
        haze=0.0,
        rows=128,
        noise=0.008,
        quality=74,
        yaw=20.0,
        yaw_spread=14.0,
        two_way=False,
        pitch=12.0,
        light=-55.0,
        ambient=0.5,
        shade=0.3,
    ),
    Camera(  # an indoor corridor under greenish tubes, people walk away
        scene="corridor",
        gains=(0.93, 1.04, 0.92),
        saturation=0.84,
        contrast=0.95,
        gamma=1.02,
        haze=0.02,
        rows=108,
        noise=0.012,
        quality=70,
        yaw=145.0,
        yaw_spread=14.0,
        two_way=False,
        pitch=20.0,
        light=10.0,
        ambient=0.7,
        shade=0.2,
    ),
    Camera(  # a street at blue dusk, people cross the picture
        scene="street",
        gains=(0.87, 0.96, 1.1),
        saturation=0.89,
        contrast=1.07,
        gamma=0.97,
        haze=0.015,
        rows=112,
        noise=0.014,
        quality=70,
        yaw=50.0,
        yaw_spread=14.0,
        two_way=False,
        pitch=8.0,
        light=70.0,
        ambient=0.65,
        shade=0.25,
    ),
    Camera(  # a park in haze, people come and go
        scene="park",
        gains=(1.0, 1.02, 0.99),
        saturation=0.77,
        contrast=0.87,
        gamma=0.92,
        haze=0.06,
        rows=100,
        noise=0.01,
        quality=74,
        yaw=35.0,
        yaw_spread=15.0,
        two_way=True,
        pitch=14.0,
        light=-30.0,
        ambient=0.75,
        shade=0.25,
    ),
    Camera(  # a station hall under sodium lamps
        scene="station",
        gains=(1.12, 0.97, 0.79),
        saturation=0.92,
        contrast=1.05,
        gamma=1.0,
        haze=0.01,
        rows=116,
        noise=0.012,
        quality=70,
        yaw=125.0,
        yaw_spread=15.0,
        two_way=False,
        pitch=16.0,
        light=45.0,
        ambient=0.55,
        shade=0.3,
    ),
    Camera(  # a garage, nearly without colour
        scene="garage",
        gains=(0.97, 1.02, 1.0),
        saturation=0.59,
        contrast=1.07,
        gamma=0.89,
        haze=0.025,
        rows=104,
        noise=0.016,
        quality=70,
        yaw=-50.0,
        yaw_spread=15.0,
        two_way=False,
        pitch=18.0,
        light=-80.0,
        ambient=0.6,
        shade=0.25,
    ),
)
