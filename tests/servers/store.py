"""A folder that runs are kept in, as the tests see it; the servers build upon it."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple

from tests.servers.clones import Clone, md5

MEGABYTE = 10**6


class Object(NamedTuple):
    """What a store holds under a name, which is the md5 that it should have."""

    md5: str
    changed: float  # when it was written


class Store:
    """A folder of this machine, as it is or behind one of the servers."""

    # What a user types, as docs/remotes.md has it too.
    commands: ClassVar[tuple[str, ...]] = ("dvc remote add --local -d mine {folder}",)
    verify = "dvc remote modify --local mine verify true"
    # What DVC says.
    down = "Not a directory"
    refused = ""
    # Whether no object ever has its name before it has all its bytes.
    whole = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "store"
        self.folder.mkdir()
        self.values: dict[str, object] = {"folder": self.folder}
        self._config = ""

    def name_to(self, clone: Clone) -> None:
        """Make this the default remote of a clone."""
        config = clone.folder / ".dvc/config.local"
        if self._config:
            config.write_text(self._config)
            return
        for command in (*self.commands, self.verify):
            clone.run(*command.format_map(self.values).split())
        self._config = config.read_text()

    def objects(self) -> dict[str, Object]:
        """Return what is there, by name."""
        return {
            path.parent.name + path.name: Object(
                md5(path.read_bytes()), path.stat().st_mtime
            )
            for path in self.folder.glob("files/md5/*/*")
        }

    def damaged(self) -> set[str]:
        """Return the names of those that are not what their names say."""
        return {name for name, held in self.objects().items() if held.md5 != name}

    def damage(self, name: str) -> None:
        """Lose the end of an object."""
        path = self.folder / "files/md5" / name[:2] / name[2:]
        data = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(data[: len(data) // 2])
        path.chmod(0o444)  # as DVC left it: a folder's writable objects are read again

    def empty(self) -> None:
        """Throw away all that is there."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def start(self) -> None:
        """Put the folder back in its place."""
        if self._away.exists():
            self.folder.unlink()
            self._away.rename(self.folder)

    def stop(self) -> None:
        """Take the folder away, as a disk that is not mounted."""
        self.folder.rename(self._away)
        self.folder.touch()

    @contextmanager
    def failing(self) -> Iterator[None]:
        """Let what is sent in this block break off: the disk takes no large file."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MEGABYTE, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    @property
    def _away(self) -> Path:
        return self.folder.with_name("away")
