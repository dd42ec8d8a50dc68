"""What the members of a dataset are, in whichever layout they come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from crosscam.data.naming import ImageName
from crosscam.data.pids import Counts

UNKNOWN = "unknown"


class ImageMember(NamedTuple):
    """An image of an archive: where it is, its subset and what is said of it."""

    member: str
    subset: str
    name: ImageName


class Listing(NamedTuple):
    """What the members of an archive are.

    Parameters
    ----------
    layout
        ``market1501``, ``dukemtmc``, ``msmt17_v1`` or ``msmt17_v2``; ``synthetic`` for
        the first under a top folder of that name; ``unknown`` if it is none of them
        or more than one (a fault).
    published
        Counts that the dataset's authors state, per subset, or None. The name
        ``train+val`` stands for the two subsets together.
    images
        The images, in order of their members.
    ignored
        How many members were left out, per kind, in order of the kinds' names.
    faults
        What is wrong: an unknown layout, two datasets, an empty subset, files in image
        folders that are no images by their names, lists that do not fit the images.
    """

    layout: str
    published: Mapping[str, Counts] | None
    images: tuple[ImageMember, ...]
    ignored: Mapping[str, int]
    faults: tuple[str, ...]


def unused_kind(name: str) -> str:
    """Return what to count a member as that is no part of any subset."""
    return "readme" if PurePosixPath(name).stem.lower() == "readme" else "other"
