"""Loops over all pairs of images, compiled by numba once for a text of their file.

numba's own cache asks for the path and the time of a source file, which DVC's temporary
workspaces and every new clone change: each experiment would compile anew (15 s for all
kernels). Here compiled code is found by the file's content, in one place for a user.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

log = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])
FOLDER = "CROSSCAM_KERNELS"
settings: Any = numba.config  # its types do not name what is in it


def kernel(function: Function) -> Function:
    """Compile a function at its first call, with its outer `prange` over threads.

    It may call kernels of its own file alone: the content of that file is what compiled
    code is found by. Arithmetic is IEEE's, in the order written (no ``fastmath``), so
    that results depend neither on the number of threads nor on the type of CPU, as long
    as no sum runs over a `prange`. Indices are not checked: the caller does.

    Parameters
    ----------
    function
        Of arrays and numbers, in the Python that numba knows.

    Returns
    -------
    callable
        Of the same arguments.
    """
    compiled: Any = numba.njit(parallel=True, nogil=True, error_model="numpy")(function)
    if not settings.DISABLE_JIT:
        # What cache=True does, with numba's own cache.
        cache = _Cache(function)  # type: ignore[no-untyped-call]
        compiled._cache = cache  # noqa: SLF001
    return cast("Function", compiled)


def helper(function: Function) -> Function:
    """Compile a function that kernels of the same file call, into each of them."""
    return cast("Function", numba.njit(inline="never", error_model="numpy")(function))


def set_threads(num_threads: int) -> None:
    """Set the threads of kernels, as far as the machine has processors."""
    numba.set_num_threads(min(num_threads, settings.NUMBA_NUM_THREADS))


def kernels_folder() -> Path:
    """Return where compiled code is kept.

    The environment variable ``CROSSCAM_KERNELS`` names another place than the user's
    cache. Nothing in it is worth keeping; it holds code, as ``__pycache__`` does.
    """
    if named := os.environ.get(FOLDER):
        return Path(named)
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "crosscam" / "kernels"


class _ByContent(_CacheLocator):
    """Where the compiled code of a file's kernels is."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        content = hashlib.sha256(Path(py_file).read_bytes()).hexdigest()
        self._content = content
        self._line = py_func.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(kernels_folder() / self._content[:16])

    def get_source_stamp(self) -> str:
        return self._content

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> _ByContent:
        return cls(py_func, py_file)


class _Compiled(CompileResultCacheImpl):
    _locator_classes: list[type[object]] = [_ByContent]  # noqa: RUF012 (numba's form)


class _Cache(FunctionCache):
    """A cache without which work goes on: a full disk costs seconds, not the run."""

    _impl_class = _Compiled

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)  # type: ignore[no-untyped-call]
        except Exception as fault:  # noqa: BLE001 (unpickling damage raises anything)
            log.warning("%s: compiled anew: %s", self.cache_path, fault)
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as fault:
            log.warning("%s: compiled code is not kept: %s", self.cache_path, fault)
