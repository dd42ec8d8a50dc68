"""What the names of images say, in datasets whose folders are the subsets."""

from __future__ import annotations

import re
from typing import NamedTuple

from crosscam.data.faults import DataError


class ImageName(NamedTuple):
    """What the name of an image says.

    Parameters
    ----------
    pid
        Identity, from 1; junk and distractors are none, see `crosscam.data.pids`.
    camid
        Camera, from 0 (names count from 1).
    sequence, frame
        Time of recording; -1 where a dataset's names carry none.
    """

    pid: int
    camid: int
    sequence: int
    frame: int


class Naming(NamedTuple):
    """How a dataset names its images.

    Parameters
    ----------
    title
        What the dataset is called.
    example
        The name of an image.
    pattern
        The grammar, with the groups pid, camera, frame and perhaps sequence.
    """

    title: str
    example: str
    pattern: re.Pattern[str]

    def fits(self, path: str) -> bool:
        """Return whether a file name follows the grammar; folders do not count."""
        return self.pattern.fullmatch(path.rsplit("/", 1)[-1]) is not None

    def parse(self, path: str) -> ImageName:
        """Return what the file name of an image says.

        Parameters
        ----------
        path
            A name such as `example`; folders before it are skipped.

        Raises
        ------
        DataError
            If the name does not follow the grammar or its camera number is 0.
        """
        match = self.pattern.fullmatch(path.rsplit("/", 1)[-1])
        if match is None:
            raise DataError(
                f"{path!r}: not a {self.title} image name: rename it after the pattern"
                f" of {self.example} or take it out of the folder"
            )
        said = match.groupdict()
        return ImageName(
            pid=int(said["pid"]),
            camid=camid_of(said["camera"], path),
            sequence=int(said.get("sequence", -1)),
            frame=int(said["frame"]),
        )


def camid_of(camera: str, path: str) -> int:
    """Return the number from 0 of a camera that the name `path` numbers from 1.

    Raises
    ------
    DataError
        If the number is 0.
    """
    if int(camera) == 0:
        raise DataError(f"{path!r}: camera number is 0: cameras count from 1")
    return int(camera) - 1
