"""Every listing of a folder comes in reverse order of the names."""

import os

_listdir, _scandir = os.listdir, os.scandir


class _Entries:
    def __init__(self, path="."):
        with _scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name, reverse=True)
        self._entries = iter(found)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._entries)

    def close(self):
        self._entries = iter(())


def _names(path="."):
    return sorted(_listdir(path), reverse=True)


os.listdir, os.scandir = _names, _Entries
