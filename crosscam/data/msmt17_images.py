"""MSMT17's images: the files that its lists name, wherever lists and folders lie."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from crosscam.data.faults import DataError
from crosscam.data.listing import UNKNOWN, ImageMember, Listing, unused_kind
from crosscam.data.msmt17 import (
    FOLDERS,
    HALVES,
    PUBLISHED,
    ImageFolder,
    image_name,
    list_of,
    pid_of,
)
from crosscam.data.msmt17_lists import Entry, read_lists

NOT_LISTED = "not in a list"  # kind of the images that no list names

_JPEG = re.compile(r"\.jpe?g$", re.IGNORECASE)


def list_images(names: Sequence[str], read: Callable[[str], bytes]) -> Listing:
    """Return what the members of an archive of MSMT17 are.

    Parameters
    ----------
    names
        Paths of the members that are files, in order, without files of the operating
        system.
    read
        Returns the contents of a member, one of the lists. May raise DataError.
    """
    entries, faults = read_lists(names, read)
    files = _files_by_root(names)
    roots = _roots([*files], faults)
    images = _images(entries, roots, files, faults)
    shown = {image.member for image in images}
    inside = {name for root in files for name in files[root].values()}
    ignored = Counter(
        NOT_LISTED if name in inside else unused_kind(name)
        for name in names
        if name not in shown and list_of(name) is None
    )
    layouts = {_folder(root).layout for root in roots.values()}
    return Listing(
        layout=layouts.pop() if len(layouts) == 1 else UNKNOWN,
        published=PUBLISHED,
        images=tuple(sorted(images)),
        ignored=ignored,
        faults=tuple(faults),
    )


def _files_by_root(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the JPEG files in or below each image folder, by their paths in it."""
    files: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        parts = name.split("/")
        depths = [i for i, part in enumerate(parts[:-1], 1) if part in FOLDERS]
        if depths and _JPEG.search(name):
            root, path = "/".join(parts[: depths[-1]]), "/".join(parts[depths[-1] :])
            files[root][path] = name
    return dict(files)


def _folder(root: str) -> ImageFolder:
    return FOLDERS[root.rsplit("/", 1)[-1]]


def _roots(found: Sequence[str], faults: list[str]) -> dict[str, str]:
    """Return the image folder of each half; what is wrong is added to the faults."""
    roots: dict[str, str] = {}
    for half in sorted(set(HALVES.values())):
        own = sorted(root for root in found if _folder(root).half == half)
        if len(own) == 1:
            roots[half] = own[0]
        elif own:
            faults.append(
                f"{len(own)} folders of {half} images, got {own[:5]}: keep one copy of"
                " the dataset"
            )
        else:
            names = [name for name, of in FOLDERS.items() if of.half == half]
            faults.append(
                f"no folder of {half} images: put the JPEG files that the lists name"
                f" below {names[0]}/ (version 1) or {names[1]}/ (version 2)"
            )
    if len({(_folder(root).layout, root.rpartition("/")[0]) for root in found}) > 1:
        faults.append(
            f"image folders that do not belong together, got {sorted(found)[:5]}: keep"
            " those of one copy of MSMT17, side by side"
        )
    return roots


def _images(
    entries: Sequence[Entry],
    roots: Mapping[str, str],
    files: Mapping[str, Mapping[str, str]],
    faults: list[str],
) -> list[ImageMember]:
    """Return the images of all entries; entries without one are added to the faults."""
    images: list[ImageMember] = []
    listed: dict[str, str] = {}
    for entry in entries:
        root = roots.get(HALVES[entry.subset])
        if root is None:
            continue  # is a fault already
        try:
            images.append(_image(entry, root, files[root], listed))
        except DataError as error:
            faults += error.faults
    return images


def _image(
    entry: Entry, root: str, files: Mapping[str, str], listed: dict[str, str]
) -> ImageMember:
    """Return the image of an entry, and note by whom it is listed."""
    stem = _JPEG.sub("", entry.path)
    # Some copies have .jpeg in the lists and .jpg on the files.
    paths = (entry.path, f"{stem}.jpg", f"{stem}.jpeg")
    member = next((files[path] for path in paths if path in files), None)
    if member is None:
        raise DataError(
            f"{entry.where}: no such file under {root}/, got {entry.path!r}: the"
            " archive is not complete"
        )
    first = listed.setdefault(member, entry.where)
    if first != entry.where:
        raise DataError(
            f"{entry.where}: names {entry.path!r} again, after {first}: keep one line"
        )
    try:
        pid = pid_of(entry.label, entry.subset)
    except DataError as error:
        raise DataError(f"{entry.where}: {error}") from error
    return ImageMember(member, entry.subset, image_name(member, pid))
