"""The embedded images come out the same on every type of CPU."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from benchmarks.variations import NUMPY, OPENBLAS
from crosscam.synthetic.plan import World, plan_shots
from crosscam.synthetic.portable import rounded
from crosscam.synthetic.render import population, render_shot
from tests.repository import ROOT, yaml

# Those that came out otherwise where numpy and BLAS took AVX-512.
SENSITIVE = {
    "bounding_box_test/0021_c2s2_067849_01.jpg",
    "bounding_box_test/0036_c2s2_027188_01.jpg",
    "bounding_box_test/0060_c3s1_001310_01.jpg",
    "bounding_box_test/0082_c2s2_056822_01.jpg",
    "bounding_box_test/0125_c4s1_072884_01.jpg",
    "bounding_box_train/0051_c2s1_056736_01.jpg",
    "bounding_box_train/0071_c1s1_048214_01.jpg",
    "bounding_box_train/0072_c2s2_049531_01.jpg",
    "bounding_box_train/0140_c1s1_026862_01.jpg",
}


def drawn() -> dict[str, bytes]:
    """Return the images of `SENSITIVE`, and one in twenty of the others, by name."""
    world = World(**yaml("recipes/default.yaml")["synthesize"])
    people = population(world)
    return {
        shot.member: render_shot(world.seed, shot, people)
        for i, shot in enumerate(plan_shots(world))
        if i % 20 == 0 or shot.member in SENSITIVE
    }


def digest(images: dict[str, bytes]) -> str:
    return hashlib.sha256(b"".join(images.values())).hexdigest()


@pytest.fixture(scope="module")
def images() -> dict[str, bytes]:
    return drawn()


@pytest.fixture(scope="module")
def archive() -> zipfile.ZipFile:
    """Return the archive in the store, which another machine drew."""
    store = (ROOT / ".dvc-store/files/md5").glob("*/*")
    zips = [zipfile.ZipFile(path) for path in store if zipfile.is_zipfile(path)]
    (found,) = (z for z in zips if "synthetic/readme.txt" in z.namelist())
    return found


def test_this_machine_draws_what_is_published(
    images: dict[str, bytes], archive: zipfile.ZipFile
):
    assert images.keys() >= SENSITIVE
    published = {name: archive.read(f"synthetic/{name}") for name in images}
    assert [name for name in images if images[name] != published[name]] == []


def test_a_cpu_without_avx_draws_the_same(images: dict[str, bytes]):
    code = "from tests.test_synthetic_portable import *; print(digest(drawn()))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | NUMPY | OPENBLAS,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == digest(images)


@given(arrays(np.float32, 5, elements=st.floats(0, 1, width=32)))
def test_a_function_is_rounded_once(values: np.ndarray):
    result = rounded(np.sqrt, values)
    assert result.dtype == np.float32
    # IEEE's square root of float32 is the exact one, rounded once.
    np.testing.assert_array_equal(result, np.sqrt(values))
