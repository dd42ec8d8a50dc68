from __future__ import annotations

import shutil

import pytest

from crosscam import room
from crosscam.room import RoomError, available_memory, check_disk, check_memory

MEMINFO = "MemTotal:       16000 kB\nMemAvailable:    8000 kB\nSwapTotal: 0 kB\n"


def test_what_the_machine_has(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    assert available_memory(tmp_path) == 8000 * 1024


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [
        ("5000000", "1000000", 4_000_000),
        ("5000000", "6000000", 0),
        ("max", "1000000", 8000 * 1024),
        ("90000000000", "0", 8000 * 1024),
    ],
)
@pytest.mark.parametrize("names", room.GROUPS, ids=["v2", "v1"])
def test_a_container_may_have_less(tmp_path, names, limit, used, expected):
    for name, text in zip(
        ("proc/meminfo", *names), (MEMINFO, limit, used), strict=True
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert available_memory(tmp_path) == expected


def test_a_system_that_does_not_tell(tmp_path):
    assert available_memory(tmp_path) is None
    check_memory(1e18, "anything", tmp_path)


def test_this_system_is_asked_by_default():
    check_memory(1, "a byte")
    with pytest.raises(RoomError, match=r"^memory: needs 1000000000.0 GB, got \S+ GB"):
        check_memory(1e18, "too much: take less")


def test_too_little_memory_is_said(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(MEMINFO)
    check_memory(8000 * 1024, "all there is", tmp_path)
    told = "memory: needs 1.0 GB, got 8.2 MB available: images: take fewer"
    with pytest.raises(RoomError, match=f"^{told}$"):
        check_memory(1e9, "images: take fewer", tmp_path)


def test_too_little_disk_is_said(tmp_path, monkeypatch):
    asked = []

    def usage(path):
        asked.append(path)
        return shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    check_disk(tmp_path / "not/there", 10**8, "packing")
    told = r"not/there: packing needs 0.2 GB of disk, got 0.1 GB free: make room"
    with pytest.raises(RoomError, match=told):
        check_disk(tmp_path / "not/there", 2e8, "packing")
    assert asked == [tmp_path.resolve()] * 2
