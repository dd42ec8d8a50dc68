"""Datasets in the three folders of Market-1501: itself, DukeMTMC-reID, and one's own.

Which of the two it is, is told by the names of the images.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from crosscam.data import dukemtmc, market1501
from crosscam.data.faults import DataError
from crosscam.data.listing import UNKNOWN, ImageMember, Listing, unused_kind
from crosscam.data.market1501 import FOLDERS, UNUSED_FOLDERS
from crosscam.data.naming import Naming
from crosscam.data.pids import Counts

SYNTHETIC_FOLDER = "synthetic"  # top folder of the embedded dataset


class _Dataset(NamedTuple):
    layout: str
    naming: Naming
    published: Mapping[str, Counts] | None


_DATASETS = (
    _Dataset(market1501.LAYOUT, market1501.NAMING, market1501.PUBLISHED),
    _Dataset(dukemtmc.LAYOUT, dukemtmc.NAMING, dukemtmc.PUBLISHED),
)
_CAMERA = re.compile(r"_c\d", re.IGNORECASE)  # in every name that tells its camera


def lies_within(name: str) -> bool:
    """Return whether a member lies in one of the three folders, or below it."""
    return _ignored_kind(name) is None


def list_folders(names: Sequence[str]) -> Listing:
    """Return what the members of an archive with these folders are.

    Parameters
    ----------
    names
        Paths of the members that are files, in order, without files of the operating
        system. At least one of them lies in one of the folders.
    """
    kinds = [_ignored_kind(name) for name in names]
    ignored = Counter(kind for kind in kinds if kind)
    inside = [name for name, kind in zip(names, kinds, strict=True) if not kind]
    fitting = [(of, [n for n in inside if of.naming.fits(n)]) for of in _DATASETS]
    present = [(dataset, own) for dataset, own in fitting if own]
    if len(present) != 1:
        fault = _two_namings(present) if present else _no_naming(inside)
        return Listing(UNKNOWN, None, (), ignored, (fault,))
    ((dataset, _),) = present
    images, faults = _images(inside, dataset.naming)
    tops = sorted({PurePosixPath(image.member).parents[1] for image in images})
    if len(tops) > 1:
        faults.append(
            f"image folders lie under {len(tops)} top folders, got"
            f" {[str(top) for top in tops[:5]]}: keep one dataset per archive"
        )
    if dataset.layout == market1501.LAYOUT and _is_synthetic(tops):
        dataset = _Dataset(SYNTHETIC_FOLDER, dataset.naming, None)
    return Listing(dataset.layout, dataset.published, images, ignored, tuple(faults))


def _ignored_kind(name: str) -> str | None:
    """Return why a member is not looked at, or None if it lies in an image folder."""
    folders = name.split("/")[:-1]
    if unused := [folder for folder in folders if folder in UNUSED_FOLDERS]:
        return unused[0]
    if any(folder in FOLDERS for folder in folders):
        return None
    return unused_kind(name)


def _is_synthetic(tops: Sequence[PurePosixPath]) -> bool:
    return [top.name for top in tops] == [SYNTHETIC_FOLDER]


def _images(
    names: Sequence[str], naming: Naming
) -> tuple[tuple[ImageMember, ...], list[str]]:
    """Return the images among files of image folders, and the faults of the others."""
    images: list[ImageMember] = []
    faults: list[str] = []
    for name in names:
        subset = FOLDERS.get(PurePosixPath(name).parent.name)
        if subset is None:
            faults.append(f"{name!r}: below the image folder: move it up into it")
            continue
        try:
            images.append(ImageMember(name, subset, naming.parse(name)))
        except DataError as error:
            faults += error.faults
    present = {image.subset for image in images}
    faults += [
        f"{subset}: no image under {folder}/: the archive is not complete"
        for folder, subset in FOLDERS.items()
        if subset not in present
    ]
    return tuple(images), faults


def _two_namings(present: Sequence[tuple[_Dataset, Sequence[str]]]) -> str:
    ways = " and ".join(
        f"{len(own):,} as in {dataset.naming.title} ({own[0]!r})"
        for dataset, own in present
    )
    return (
        f"images are named in two ways, got {ways}: keep one dataset per archive, or"
        " name all of its images alike"
    )


def _no_naming(names: Sequence[str]) -> str:
    patterns = " or ".join(
        f"{dataset.naming.example} ({dataset.naming.title})" for dataset in _DATASETS
    )
    file = names[0].rsplit("/", 1)[-1]
    if any(_CAMERA.search(name) for name in names):
        return (
            f"none of {len(names):,} files in image folders has a name that is known,"
            f" got {file!r}: rename the images after the pattern of {patterns}"
        )
    return (
        f"none of {len(names):,} files in image folders tells its camera by its name,"
        f" got {file!r}: nothing can be trained or evaluated across cameras without it,"
        f" rename the images after the pattern of {patterns}; if there is one camera"
        " only, see 'One camera' in docs/datasets.md"
    )
