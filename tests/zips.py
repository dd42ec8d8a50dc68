"""Tiny datasets in every layout, zips of them, whole and hostile, and their images."""

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


def duke_members(top: str = "DukeMTMC-reID") -> dict[str, bytes]:
    """Return the images of `market_members` under the names of DukeMTMC-reID.

    A frame is sequence × 1000 + frame there; there is no junk and no distractor.
    """
    members = {}
    for name, data in market_members(top).items():
        folder, _, file = name.rpartition("/")
        pid, camera, frame, _ = file.split("_")
        if int(pid) > 0:
            number = 1000 * int(camera[-1]) + int(frame)
            members[f"{folder}/{pid}_{camera[:2]}_f{number:07d}.jpg"] = data
    return members


MSMT17_FOLDERS = {"V1": ("train", "test"), "V2": ("mask_train_v2", "mask_test_v2")}


def msmt17_lists() -> dict[str, list[str]]:
    """Return the lines of the four lists.

    Two people for training and two for testing, each seen by cameras 1 and 3, in the
    morning of 3 March and in the afternoon of 14 January.
    """
    lists: dict[str, list[str]] = {}
    for number, part in enumerate(("train", "val", "query", "gallery")):
        lists[f"list_{part}.txt"] = [
            f"{label:04d}/{label:04d}_{number}{camera:02d}_{camera:02d}_{slot}"
            f"_{15 + number:04d}_0{suffix}.jpg {label}"
            for label in (0, 1)
            for camera, slot, suffix in (
                (1, "0303morning", ""),
                (3, "0114afternoon", "_ex"),
            )
        ]
    return lists


def msmt17_members(
    version: str = "V1", top: str = "", lists: dict[str, list[str]] | None = None
) -> dict[str, bytes]:
    """Return a dataset by member name.

    Parameters
    ----------
    version
        V1 or V2, which decides the names of the image folders.
    top
        Folder around them; MSMT17_V1 or MSMT17_V2 if empty.
    lists
        Lines of each list, those of `msmt17_lists` unless others are given. The images
        are always those of `msmt17_lists`.
    """
    top = top or f"MSMT17_{version}"
    train, test = MSMT17_FOLDERS[version]
    whole = msmt17_lists()
    texts = {
        f"{top}/{name}": "".join(f"{line}\n" for line in lines).encode()
        for name, lines in (whole if lists is None else lists).items()
    }
    images = [
        f"{top}/{train if name in {'list_train.txt', 'list_val.txt'} else test}/{path}"
        for name, lines in whole.items()
        for path, _ in (line.split() for line in lines)
    ]
    return texts | {name: jpeg(100 + seed) for seed, name in enumerate(images)}


def mac_members(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return members with what macOS adds to a zip."""
    added = {".DS_Store": b"\0", "__MACOSX/._a": b"\0"}
    for name in members:
        folder, _, file = name.rpartition("/")
        added[f"__MACOSX/{folder}/._{file}"] = b"\0"
    return {**added, **members}


def write_folder(folder: Path, members: Mapping[str, bytes]) -> Path:
    """Write members as files below a folder and return its path."""
    for name, data in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


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
        table, faults = scan(archive, recognise(archive.names, archive.read).images)
        assert faults == ()
        with (folder / "images.bin").open("wb") as file:
            write_images(archive, table, file)
    write_csv(folder / "index.csv", table)
    return table
