from __future__ import annotations

import ast
import errno
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from numba import prange

from crosscam import kernel as under_test
from crosscam.kernel import helper, kernel, kernels_folder, set_threads
from tests.repository import ROOT

SOURCE = """
import sys
import numpy as np
from numba import prange
from crosscam.kernel import helper, kernel

@helper
def square(x):
    return x * x

@kernel
def squares(values):
    for i in prange(len(values)):
        values[i] = square(values[i])

if __name__ == "__main__":
    values = np.arange(4.0)
    squares(values)
    print(values.tolist(), sum(squares.stats.cache_hits.values()))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CROSSCAM_KERNELS", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def run(path: Path, text: str = SOURCE) -> str:
    """Return what a process of its own prints."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    command = [sys.executable, "-W", "error", str(path)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT,
        env={**under_test.os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.stdout.strip()


def test_compiled_code_is_found_from_another_folder(tmp_path, folder):
    assert run(tmp_path / "a/squares.py") == "[0.0, 1.0, 4.0, 9.0] 0"
    assert run(tmp_path / "b/squares.py") == "[0.0, 1.0, 4.0, 9.0] 1"
    # numba itself would not see that what a kernel calls is another function now.
    changed = SOURCE.replace("x * x", "x + x")
    assert run(tmp_path / "a/squares.py", changed) == "[0.0, 2.0, 4.0, 6.0] 0"


def fresh():
    """Return a kernel that this process has not compiled."""

    @kernel
    def doubled(values):
        for i in prange(len(values)):
            values[i] = 2 * values[i]

    return doubled


def results(function) -> list[float]:
    values = np.arange(3.0)
    function(values)
    return values.tolist()


def test_damaged_code_is_compiled_anew(folder, caplog):
    assert results(fresh()) == [0, 2, 4]
    stored = sorted(folder.rglob("*.nb?"))
    assert len(stored) == 2  # the index and the code
    for path in stored:
        path.write_bytes(b"not a pickle")
    with caplog.at_level(logging.WARNING):
        assert results(fresh()) == [0, 2, 4]
    assert "compiled anew" in caplog.text
    assert results(fresh()) == [0, 2, 4]


def test_work_goes_on_where_code_cannot_be_kept(folder, caplog, monkeypatch):
    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(under_test._ByContent, "ensure_cache_path", full)
    with caplog.at_level(logging.WARNING):
        assert results(fresh()) == [0, 2, 4]
    assert "compiled code is not kept: [Errno 28] No space left" in caplog.text
    assert not folder.exists()


def test_where_code_is_kept(monkeypatch):
    monkeypatch.delenv("CROSSCAM_KERNELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert kernels_folder() == Path("/caches/crosscam/kernels")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert kernels_folder() == Path.home() / ".cache/crosscam/kernels"
    monkeypatch.setenv("CROSSCAM_KERNELS", "/mine")
    assert kernels_folder() == Path("/mine")


def test_threads_are_as_many_as_there_are(monkeypatch):
    before = numba.get_num_threads()
    try:
        set_threads(10_000)
        assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS
        set_threads(1)
        assert numba.get_num_threads() == 1
    finally:
        numba.set_num_threads(before)


def test_sums_keep_their_order():
    @helper
    def total(values):
        result = np.float32(0)
        for value in values:
            result += value
        return result

    @kernel
    def totals(rows, out):
        for i in prange(len(rows)):
            out[i] = total(rows[i])

    rows = np.random.default_rng(0).random((3, 1000), np.float32)
    out = np.empty(3, np.float32)
    totals(rows, out)
    expected = [np.cumsum(row, dtype=np.float32)[-1] for row in rows]
    assert out.tolist() == expected


def kernel_files() -> list[Path]:
    paths = sorted((ROOT / "crosscam").rglob("*.py"))
    return [p for p in paths if "@kernel" in p.read_text() and p.name != "kernel.py"]


def test_kernels_call_none_of_another_file():
    """Compiled code is found by the content of one file."""
    files = kernel_files()
    decorated = {path: names(path) for path in files}
    for path in files:
        others = {n for p, found in decorated.items() if p != path for n in found}
        tree = ast.parse(path.read_text())
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name in decorated[path]:
                used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
                assert not used & imported & others, path


def names(path: Path) -> set[str]:
    """Return the functions of a file that are kernels or their helpers."""
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and {"kernel", "helper"} & {getattr(d, "id", "") for d in node.decorator_list}
    }


def test_every_kernel_takes_the_cache(tmp_path, folder):
    shutil.rmtree(folder, ignore_errors=True)
    assert results(fresh()) == [0, 2, 4]
    assert len(list(folder.rglob("*.nbc"))) == 1
