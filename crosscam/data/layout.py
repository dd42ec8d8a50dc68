"""Recognise a dataset by the members of its archive, wherever the top folder sits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from crosscam.data import msmt17, three_folders
from crosscam.data.listing import UNKNOWN, Listing
from crosscam.data.market1501 import FOLDERS
from crosscam.data.msmt17_images import list_images
from crosscam.data.three_folders import list_folders


def recognise(names: Sequence[str], read: Callable[[str], bytes]) -> Listing:
    """Return what the members of an archive are.

    Parameters
    ----------
    names
        Paths of the members that are files, with ``/`` between the parts.
    read
        Returns the contents of a member; of MSMT17's lists only. May raise DataError.
    """
    kinds = {name: _system_kind(name) for name in sorted(names)}
    listing = _listing([name for name, kind in kinds.items() if not kind], read)
    ignored = Counter(kind for kind in kinds.values() if kind)
    ignored.update(listing.ignored)
    return listing._replace(ignored=dict(sorted(ignored.items())))


def _system_kind(name: str) -> str | None:
    """Return which system left a file behind that is no part of the dataset, if any."""
    *folders, file = name.split("/")
    if "__MACOSX" in folders or file.startswith("._"):
        return "macOS metadata"
    return file if file in {".DS_Store", "Thumbs.db", "desktop.ini"} else None


def _listing(names: Sequence[str], read: Callable[[str], bytes]) -> Listing:
    outside = [name for name in names if not three_folders.lies_within(name)]
    images = next((name for name in outside if msmt17.fits(name)), None)
    if len(outside) < len(names):
        if images is None:
            return list_folders(names)
        fault = (
            f"holds two datasets, the folders {list(FOLDERS)} and images of MSMT17 such"
            f" as {images!r}: keep one dataset per archive"
        )
    elif images is not None or any(msmt17.list_of(name) for name in names):
        return list_images(names, read)
    else:
        fault = _unknown(names)
    return Listing(UNKNOWN, None, (), {}, (fault,))


def _unknown(names: Sequence[str]) -> str:
    tops = sorted({name.split("/")[0] for name in names})[:5]
    return (
        f"not a dataset of a known layout, got {tops} at its top: expected the folders"
        f" {list(FOLDERS)} of Market-1501 and DukeMTMC-reID, or the lists"
        f" {list(msmt17.LISTS)} of MSMT17 with their images (see docs/datasets.md)"
    )
