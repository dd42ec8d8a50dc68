"""crosscam.files: whole files or none, and the same bytes for the same values."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, load_file

from crosscam.files import (
    NpzError,
    read_npz,
    replacing,
    write_bytes,
    write_csv,
    write_json,
    write_npz,
    write_safetensors,
)
from crosscam.room import RoomError
from tests.full_disk import fill_disk

ROOT = Path(__file__).parents[1]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_replacing_makes_missing_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.bin"
    with replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["b.bin"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_raising_block_leaves_the_old_bytes(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    with pytest.raises(error), replacing(path) as file:  # noqa: PT012
        file.write(b"half")
        file.flush()
        raise error
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_killed_process_leaves_the_old_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_bytes(path, b"old")
    child = (
        "import os, signal, sys; from pathlib import Path\n"
        "from crosscam.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", child, str(path)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    assert names(tmp_path)[0].startswith(".a.bin.")
    assert names(tmp_path)[0].endswith(".tmp")


def test_a_new_file_has_the_rights_of_any_new_file(tmp_path: Path) -> None:
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "plain").touch()
    ours, plain = ((tmp_path / name).stat().st_mode for name in ("ours", "plain"))
    assert stat.S_IMODE(ours) == stat.S_IMODE(plain)


def test_json_is_sorted_rounded_and_ends_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": np.float32(0.1), "a": {2: (1, True, None)}, "c": "é"})
    text = (
        '{\n  "a": {\n    "2": [\n      1,\n      true,\n      null\n    ]\n  },\n'
        '  "b": 0.1,\n  "c": "\\u00e9"\n}\n'
    )
    assert path.read_text() == text


def test_json_takes_arrays_and_keeps_the_digits_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    value = {"x": np.array([[1 / 3, -1e-9]]), "n": np.int64(3), "z": np.array(2.0)}
    write_json(path, value, digits=3)
    assert json.loads(path.read_text()) == {"x": [[0.333, 0.0]], "n": 3, "z": 2.0}
    assert "-0" not in path.read_text()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float32("-inf")])
def test_json_refuses_numbers_that_are_not_finite(tmp_path: Path, value: float) -> None:
    path = tmp_path / "a.json"
    write_json(path, 1)
    with pytest.raises(ValueError, match=r"a\.json: loss: must be finite .*, got -?"):
        write_json(path, {"loss": [0.0, value]})
    assert path.read_text() == "1\n"


@given(st.integers(0, 2**32 - 1))
def test_json_does_not_depend_on_the_order_of_keys(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("json")
    rng = np.random.default_rng(seed)
    values = {f"k{i}": float(v) for i, v in enumerate(rng.normal(size=8))}
    shuffled = {key: values[key] for key in rng.permutation(list(values))}
    write_json(folder / "a.json", values)
    write_json(folder / "b.json", shuffled)
    assert (folder / "a.json").read_bytes() == (folder / "b.json").read_bytes()
    read = json.loads((folder / "a.json").read_text())
    assert max(abs(read[key] - values[key]) for key in values) <= 0.5e-6 + 1e-15


def test_csv_has_no_index_and_line_feeds_only(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    table = pd.DataFrame({"offset": [0, 7], "camid": [1, 0]}, index=[5, 3])
    write_csv(path, table)
    assert path.read_bytes() == b"offset,camid\n0,1\n7,0\n"
    pd.testing.assert_frame_equal(pd.read_csv(path), table.reset_index(drop=True))


def test_npz_gives_back_what_was_written(tmp_path: Path) -> None:
    arrays = {
        "labels": np.arange(6, dtype=np.int32).reshape(2, 3),
        "turned": np.arange(6.0).reshape(2, 3).T,
        "one": np.float32(3),
        "none": np.zeros((0, 4), np.int64),
    }
    write_npz(tmp_path / "a.npz", arrays)
    read = read_npz(tmp_path / "a.npz")
    assert list(read) == sorted(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array, strict=True)


def test_npz_bytes_depend_on_the_values_alone(tmp_path: Path) -> None:
    first, second = np.arange(3), np.ones((2, 2))
    write_npz(tmp_path / "a.npz", {"x": first, "y": second})
    write_npz(tmp_path / "b.npz", {"y": np.asfortranarray(second), "x": first})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}


def test_npz_neither_writes_nor_reads_pickles(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(ValueError, match="allow_pickle"):
        write_npz(path, {"x": np.array([{}])})
    assert names(tmp_path) == []
    np.savez(path, x=np.array([{}]))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_npz(path)


def test_safetensors_are_read_by_the_package(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {
        "weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "turned": np.arange(6.0).reshape(2, 3).T,
        "strided": np.arange(6, dtype=np.int64)[::2],
        "swapped": np.arange(3, dtype=">i4"),
        "half": np.float16(0.5),
        "mask": np.array([True, False, True]),
        "none": np.zeros((0, 4), np.uint8),
    }
    write_safetensors(path, tensors, {"b": "ü\n\x7f", "a": "1"})
    read = load_file(path)
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor)
        assert read[name].dtype == tensor.dtype.newbyteorder("=")
    with safe_open(path, "np") as file:
        assert file.metadata() == {"a": "1", "b": "ü\n\x7f"}
    size = int.from_bytes(path.read_bytes()[:8], "little")
    assert size % 8 == 0


@given(st.integers(0, 2**32 - 1))
def test_safetensors_round_trip(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    path = tmp_path_factory.mktemp("safetensors") / "a.safetensors"
    rng = np.random.default_rng(seed)
    types = rng.choice(["f2", "f4", "f8", "i4", "i8", "u1"], size=rng.integers(5))
    tensors = {
        f"t{i}": rng.integers(9, size=rng.integers(4, size=rng.integers(4))).astype(t)
        for i, t in enumerate(types)
    }
    metadata = {f"key{i}": "é" * i for i in range(rng.integers(5))}
    write_safetensors(path, tensors, metadata)
    read = load(path.read_bytes())
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor, strict=True)


def test_safetensors_refuse_types_without_a_name(tmp_path: Path) -> None:
    with pytest.raises(SafetensorError, match="dtype"):
        write_safetensors(tmp_path / "a", {"x": np.array(["text"])}, {})
    assert names(tmp_path) == []


SAVE = """
import sys; from pathlib import Path; import numpy as np
from crosscam.files import write_safetensors
from safetensors.numpy import save_file
tensors = {"b": np.arange(3.0), "a": np.ones((2, 2), np.float16)}
metadata = {f"key{i}": str(i) for i in range(8)}
write_safetensors(Path(sys.argv[1]), tensors, metadata)
save_file(tensors, sys.argv[2], metadata)
"""


def test_safetensors_bytes_are_the_same_in_every_process(tmp_path: Path) -> None:
    """The package's own are not, which is why ours sort the metadata."""
    ours, theirs = set(), set()
    for seed in ("0", "1", "2", "3"):
        paths = tmp_path / "ours", tmp_path / "theirs"
        subprocess.run(
            [sys.executable, "-c", SAVE, *map(str, paths)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=ROOT,
            check=True,
        )
        ours.add(hashlib.sha256(paths[0].read_bytes()).hexdigest())
        theirs.add(hashlib.sha256(paths[1].read_bytes()).hexdigest())
    assert len(ours) == 1
    # 8 keys have 40,320 orders: four equal ones by chance do not happen.
    assert len(theirs) > 1, "the package sorts metadata now: use it without our own"


def test_leftovers_of_killed_processes_go_with_the_next_writing(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    alive, others = os.getpid(), f".b.json.{dead.pid}.x.tmp"
    for name in (f".a.json.{dead.pid}.x.tmp", f".a.json.{alive}.x.tmp", others):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".a.json.random.tmp").write_bytes(b"not ours")
    write_json(tmp_path / "a.json", 1)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"a.json", f".a.json.{alive}.x.tmp", others, ".a.json.random.tmp"}


def test_the_name_of_a_leftover_says_whose_it_is(tmp_path: Path) -> None:
    with replacing(tmp_path / "a[1].json"):
        (name,) = (path.name for path in tmp_path.iterdir())
        assert name.startswith(f".a[1].json.{os.getpid()}.")


def test_the_process_of_another_user_is_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(process: int, signal: int) -> None:
        raise PermissionError

    (tmp_path / ".a.json.1.x.tmp").write_bytes(b"half")
    monkeypatch.setattr(os, "kill", refused)
    write_json(tmp_path / "a.json", 1)
    assert (tmp_path / ".a.json.1.x.tmp").exists()


# Files that are no arrays


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "File is not a zip file"),
        (b"PK", "File is not a zip file"),
        (b"\x93NUMPY\x01\x00", "File is not a zip file"),
    ],
)
def test_what_is_no_npz(tmp_path: Path, data: bytes, told: str) -> None:
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(NpzError, match=rf"a\.npz: not a whole .* got {told}: run"):
        read_npz(tmp_path / "a.npz")


def test_npz_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "a.npz")


def test_npz_must_have_its_arrays(tmp_path: Path) -> None:
    write_npz(tmp_path / "a.npz", {"a": np.zeros(3)})
    assert [*read_npz(tmp_path / "a.npz", ["a"])] == ["a"]
    with pytest.raises(NpzError, match=r"lacks the arrays \['b', 'c'\], got \['a'"):
        read_npz(tmp_path / "a.npz", ["c", "a", "b"])


def test_compressed_arrays_are_not_unpacked(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(10**6))
    with pytest.raises(NpzError, match=r"got 'a\.npy' compressed"):
        read_npz(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_bytes(path, b"1"),
        lambda path: write_csv(path, pd.DataFrame({"a": [1]})),
        lambda path: write_json(path, 1),
        lambda path: write_npz(path, {"a": np.zeros(1)}),
    ],
    ids=["bytes", "csv", "json", "npz"],
)
def test_a_full_disk_is_told_with_the_file(write, tmp_path, monkeypatch):
    path = tmp_path / "new/file"
    write(path)
    before = path.read_bytes()
    fill_disk(monkeypatch, after=0)
    with pytest.raises(OSError, match=r"No space left on device: '\S+/new/file'$"):
        write(path)
    assert [*path.parent.iterdir()] == [path]
    assert path.read_bytes() == before


def test_a_name_that_the_system_gives_stays(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(OSError, match=r"File exists: '\S+/a'$"):
        write_bytes(tmp_path / "a/b", b"")


def test_errors_that_are_not_the_systems_stay_as_they_are(tmp_path):
    with pytest.raises(OSError, match=r"^no room$"), replacing(tmp_path / "a"):
        raise RoomError("no room")
