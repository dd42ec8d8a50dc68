"""The synthetic world as a zip file in the layout of Market-1501."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from typing import IO

from crosscam.files import EPOCH
from crosscam.synthetic.people import Person
from crosscam.synthetic.plan import Shot
from crosscam.synthetic.render import render_shot

TOP_FOLDER = "synthetic"
README = """\
A synthetic world for person re-identification: drawn pedestrians seen by cameras that
differ in colours, light, resolution and viewpoint. No photograph and no real person is
in it. Made by crosscam (crosscam/synthetic) in the layout and with the file names of
Market-1501: 0002_c1s1_000451_03.jpg is identity 2, camera 1, sequence 1, frame 451,
box 3. Identity -1 is junk, 0000 shows nobody.
"""


def write_archive(
    file: IO[bytes], seed: int, shots: Iterable[Shot], people: list[Person]
) -> None:
    """Write shots as an uncompressed zip file, one by one, in the given order.

    Dates are fixed: the same seed, shots and people give the same bytes.
    """
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_info("readme.txt"), README)
        for shot in shots:
            archive.writestr(_info(shot.member), render_shot(seed, shot, people))


def _info(path: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(f"{TOP_FOLDER}/{path}", date_time=EPOCH)
    info.create_system = 3  # the default differs between Windows and the rest
    info.external_attr = 0o644 << 16
    return info
