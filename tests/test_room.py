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
@pytest.mark.parametrize("groups", room.GROUPS, ids=["v2", "v1"])
def test_a_container_may_have_less(tmp_path, groups, limit, used, expected):
    write(tmp_path / "proc/meminfo", MEMINFO)
    of_group(tmp_path / groups.folder, groups, limit, used)
    assert available_memory(tmp_path) == expected


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


def of_group(folder, groups, limit, used, cached=()):
    write(folder / groups.limit, limit)
    write(folder / groups.used, used)
    rows = [f"{key} {num}" for key, num in zip(groups.cache, cached, strict=False)]
    write(folder / groups.stat, "\n".join(["anon 7", *rows, "file 9"]))


@pytest.mark.parametrize("groups", room.GROUPS, ids=["v2", "v1"])
def test_cached_files_are_no_used_memory(tmp_path, groups):
    of_group(tmp_path / groups.folder, groups, "5000000", "4500000", (1000000, 2000000))
    assert available_memory(tmp_path) == 3_500_000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{}:/slurm/job", 200),  # that of the job above the step's
        ("{}:/elsewhere", 1000),  # where no file tells
        ("{}:/../slurm/job", 1000),  # a container's, as seen from another one
        ("cpu:/slurm/job", 1000),
    ],
)
@pytest.mark.parametrize("groups", room.GROUPS, ids=["v2", "v1"])
def test_groups_within_groups(tmp_path, groups, line, expected):
    top = tmp_path / groups.folder
    of_group(top, groups, "1000", "0")
    of_group(top / "slurm", groups, "300", "100")
    of_group(top / "slurm/job", groups, "900", "100")
    write(tmp_path / "proc/self/cgroup", f"4:{line.format(groups.controller)}")
    assert available_memory(tmp_path) == expected


def test_of_several_lines_the_one_on_memory_counts(tmp_path):
    groups = room.GROUPS[1]
    of_group(tmp_path / groups.folder / "job", groups, "900", "100")
    lines = "11:cpu,cpuacct:/other\n4:hugetlb,memory:/job\n0::/job"
    write(tmp_path / "proc/self/cgroup", lines)
    assert available_memory(tmp_path) == 800


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
