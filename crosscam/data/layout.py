"""Recognise a dataset by the members of its archive, wherever the top folder sits.

This version reads the layout of Market-1501. A dataset of another layout adds a module
like `market1501` (folders, names, counts) and a branch in `recognise`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from crosscam.data import market1501
from crosscam.data.faults import DataError
from crosscam.data.market1501 import ImageName
from crosscam.data.pids import Counts

SYNTHETIC_FOLDER = "synthetic"  # top folder of the embedded dataset


class ImageMember(NamedTuple):
    """An image of an archive: where it is, its subset and what its name says."""

    member: str
    subset: str
    name: ImageName


class Listing(NamedTuple):
    """What the members of an archive are.

    Parameters
    ----------
    layout
        ``market1501``; ``synthetic`` for the same layout under a top folder of that
        name; ``unknown`` if there is none of the folders (a fault).
    published
        Counts that the dataset's authors state, per subset, or None.
    images
        The images, in order of their members.
    ignored
        How many members were left out, per kind, in order of the kinds' names.
    faults
        What is wrong: an unknown layout, more than one top folder, an empty subset,
        files in image folders that are no images by their names.
    """

    layout: str
    published: Mapping[str, Counts] | None
    images: tuple[ImageMember, ...]
    ignored: Mapping[str, int]
    faults: tuple[str, ...]


def recognise(names: Sequence[str]) -> Listing:
    """Return what the members of an archive are.

    Parameters
    ----------
    names
        Paths of the members that are files, with ``/`` between the parts.
    """
    paths = [PurePosixPath(name) for name in sorted(names)]
    kinds = [_ignored_kind(path) for path in paths]
    ignored = dict(sorted(Counter(kind for kind in kinds if kind).items()))
    paths = [path for path, kind in zip(paths, kinds, strict=True) if not kind]
    if not paths:
        return Listing("unknown", None, (), ignored, (_unknown(names),))
    images, faults = _images(paths)
    tops = sorted({PurePosixPath(image.member).parents[1] for image in images})
    if len(tops) > 1:
        faults.append(
            f"image folders lie under {len(tops)} top folders, got"
            f" {[str(top) for top in tops[:5]]}: keep one dataset per archive"
        )
    if len(tops) == 1 and tops[0].name == SYNTHETIC_FOLDER:
        return Listing(SYNTHETIC_FOLDER, None, images, ignored, tuple(faults))
    return Listing("market1501", market1501.PUBLISHED, images, ignored, tuple(faults))


def _ignored_kind(path: PurePosixPath) -> str | None:
    """Return why a member is not looked at, or None if it lies in an image folder."""
    folders = path.parts[:-1]
    if "__MACOSX" in folders or path.name.startswith("._"):
        return "macOS metadata"
    if path.name in {".DS_Store", "Thumbs.db", "desktop.ini"}:
        return path.name
    if unused := [folder for folder in folders if folder in market1501.UNUSED_FOLDERS]:
        return unused[0]
    if any(folder in market1501.FOLDERS for folder in folders):
        return None
    return "readme" if path.stem.lower() == "readme" else "other"


def _images(
    paths: Sequence[PurePosixPath],
) -> tuple[tuple[ImageMember, ...], list[str]]:
    """Return the images among files of image folders, and the faults of the others."""
    images: list[ImageMember] = []
    faults: list[str] = []
    for path in paths:
        subset = market1501.FOLDERS.get(path.parent.name)
        if subset is None:
            faults.append(f"{str(path)!r}: below the image folder: move it up into it")
            continue
        try:
            name = market1501.parse_name(str(path))
        except DataError as error:
            faults += error.faults
        else:
            images.append(ImageMember(str(path), subset, name))
    if not images:
        faults.insert(0, _no_images(paths))
        return (), faults
    present = {image.subset for image in images}
    faults += [
        f"{subset}: no image under {folder}/: the archive is not complete"
        for folder, subset in market1501.FOLDERS.items()
        if subset not in present
    ]
    return tuple(images), faults


def _no_images(paths: Sequence[PurePosixPath]) -> str:
    return (
        f"none of {len(paths):,} files in image folders is named as in Market-1501"
        f" ({market1501.EXAMPLE}), got {paths[0].name!r}: this version reads no other"
        " naming (see docs/datasets.md)"
    )


def _unknown(names: Sequence[str]) -> str:
    tops = sorted({name.split("/")[0] for name in names})[:5]
    return (
        f"not a dataset of a known layout, got {tops} at its top: expected the folders"
        f" {list(market1501.FOLDERS)} of Market-1501 (see docs/datasets.md)"
    )
