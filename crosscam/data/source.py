"""Where the images of a dataset come from: a zip, or a folder."""

from __future__ import annotations

from pathlib import Path

from crosscam.data.archive import Archive
from crosscam.data.folder import Folder

Source = Archive | Folder


def open_source(path: Path) -> Source:
    """Return the reader of a zip or, where there is one at `path`, of a folder.

    Raises
    ------
    DataError
        As `Archive` and `Folder`.
    """
    return Folder(path) if path.is_dir() else Archive(path)
