"""Where the images of a dataset come from: a zip, or a folder."""

from __future__ import annotations

import os.path
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
    # Path.is_dir raises where a path is too long or may not be looked at.
    return Folder(path) if os.path.isdir(path) else Archive(path)  # noqa: PTH112
