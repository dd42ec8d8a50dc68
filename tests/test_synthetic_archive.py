from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from crosscam.data.market1501 import NAMING
from crosscam.synthetic.archive import write_archive
from crosscam.synthetic.cameras import CAMERAS
from crosscam.synthetic.plan import World, plan_shots
from crosscam.synthetic.render import population
from stages import synthesize

WORLD = World(0, 2, 2, 2, 2, 1, 1)


def archive_of(world: World) -> bytes:
    buffer = io.BytesIO()
    write_archive(buffer, world.seed, plan_shots(world), population(world))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def data() -> bytes:
    return archive_of(WORLD)


def test_the_same_world_gives_the_same_bytes(data: bytes):
    assert archive_of(WORLD) == data


def test_bytes_do_not_depend_on_the_hash_seed(data: bytes):
    code = (
        "import hashlib, sys; from tests.test_synthetic_archive import *; "
        "print(hashlib.sha256(archive_of(WORLD)).hexdigest())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "7"},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == hashlib.sha256(data).hexdigest()


def test_another_seed_gives_other_images_of_the_same_cameras(data: bytes):
    before = CAMERAS
    other = archive_of(replace(WORLD, seed=1))
    assert other != data
    assert before is CAMERAS


def test_every_member_is_an_image_named_as_planned(data: bytes):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        shots = plan_shots(WORLD)
        assert names == ["synthetic/readme.txt"] + [
            f"synthetic/{shot.member}" for shot in shots
        ]
        assert "no real person" in archive.read("synthetic/readme.txt").decode()
        for name, shot in zip(names[1:], shots, strict=True):
            assert Image.open(io.BytesIO(archive.read(name))).size == (64, 128)
            parsed = NAMING.parse(name.rsplit("/", 1)[1])
            assert parsed is not None
            assert parsed[:2] == (shot.pid, shot.camid)
            assert (parsed.sequence, parsed.frame) == (shot.sequence, shot.frame)


def test_members_carry_no_date_and_are_stored(data: bytes):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
            assert info.compress_type == zipfile.ZIP_STORED
            assert info.create_system == 3


def test_the_stage_writes_the_archive(data: bytes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [f"  {key}: {value}" for key, value in vars(WORLD).items()]
    Path("params.yaml").write_text("\n".join(["synthesize:", *lines]))
    synthesize.main()
    (path,) = Path("data/synthetic/raw").iterdir()
    assert path.name == "synthetic.zip"
    assert path.read_bytes() == data
