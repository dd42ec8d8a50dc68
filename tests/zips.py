"""Tiny zips in the layout of Market-1501, whole and hostile, and their images."""

from __future__ import annotations

import functools
import io
import stat
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from crosscam.data.archive import Archive
from crosscam.data.layout import recognise
from crosscam.data.packing import scan, write_images
from crosscam.files import write_csv

TOP = "Market-1501-v15.09.15"
TRAIN_PIDS = (2, 7, 10)
TEST_PIDS = (3, 5)


@functools.cache
def jpeg(seed: int) -> bytes:
    """Return a JPEG of 8 × 16 pixels, different for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def market_name(
    pid: int, camid: int, *, sequence: int = 1, frame: int = 1, box: int = 1
) -> str:
    """Return a file name that says these things."""
    person = "-1" if pid == -1 else f"{pid:04d}"
    return f"{person}_c{camid + 1}s{sequence}_{frame:06d}_{box:02d}.jpg"


def market_members(top: str = TOP) -> dict[str, bytes]:
    """Return a dataset by member name.

    Three people for training and two for testing, each seen by two cameras. A training
    pid has two images per camera, one second apart; pid p comes at frame 100 p.
    """
    names = [
        f"bounding_box_train/{market_name(pid, camid, frame=100 * pid + step)}"
        for pid in TRAIN_PIDS
        for camid in (0, 1)
        for step in (0, 25)
    ]
    for pid in TEST_PIDS:
        for camid in (0, 1):
            names += [
                f"query/{market_name(pid, camid, frame=100 * pid)}",
                f"bounding_box_test/{market_name(pid, camid, frame=100 * pid + 25)}",
            ]
    names += [
        f"bounding_box_test/{market_name(-1, 0)}.jpg",
        f"bounding_box_test/{market_name(0, 1)}",
    ]
    prefix = f"{top}/" if top else ""
    return {f"{prefix}{name}": jpeg(seed) for seed, name in enumerate(names)}


def write_zip(
    path: Path,
    members: Mapping[str, bytes],
    method: int = zipfile.ZIP_DEFLATED,
    spoil: Callable[[zipfile.ZipInfo], None] | None = None,
) -> Path:
    """Write a zip and return its path.

    Parameters
    ----------
    spoil
        Called with the first member before the directory of the zip is written, to
        make it lie there.
    """
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        if spoil is not None:
            spoil(archive.infolist()[0])
    return path


def add_member(path: Path, name: str, data: bytes, mode: int = stat.S_IFREG) -> None:
    """Add a member to a zip, of any kind and even under a name that is taken."""
    member = zipfile.ZipInfo(name)
    member.create_system = 3  # Unix: the kind of file is recorded
    member.external_attr = (mode | 0o644) << 16
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the duplicate name
        archive.writestr(member, data)


def pack(folder: Path, members: dict[str, bytes]) -> pd.DataFrame:
    """Write a.zip, images.bin and index.csv into a folder; return the index."""
    with Archive(write_zip(folder / "a.zip", members)) as archive:
        table, faults = scan(archive, recognise(archive.names).images)
        assert faults == ()
        with (folder / "images.bin").open("wb") as file:
            write_images(archive, table, file)
    write_csv(folder / "index.csv", table)
    return table
