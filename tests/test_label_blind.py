"""Training sees no identity: with others in the archive it gives the same bytes."""

from __future__ import annotations

import contextlib
import shutil
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from benchmarks.lab import Lab
from recipes.__main__ import build
from stages import inter, intra, split, synthesize, unzip
from tests.opened import LISTED, opened_by
from tests.repository import PACKAGES, ROOT, closure, pipeline, written

ARCHIVE = Path("data/synthetic/raw/synthetic.zip")
TRUTH = "data/split/truth.csv"
TRAINING = ("intra", "inter")
BLIND = (
    "data/packed/images.bin",
    "data/split/train.csv",
    "data/pseudo/intra.npz",
    "data/pseudo/inter.npz",
    "models/intra.safetensors",
    "models/inter.safetensors",
)


@pytest.mark.parametrize("name", TRAINING)
def test_training_depends_on_nothing_that_holds_identities(name: str) -> None:
    deps = pipeline()[name]["deps"]
    others = {dep for dep in deps if not dep.startswith(("crosscam/", "models/"))}
    assert others == {
        "data/packed/images.bin",
        "data/split/train.csv",
        "requirements.txt",
        f"stages/{name}.py",
    }


@pytest.fixture(scope="module")
def params() -> str:
    """Return the smoke recipe, whatever the working tree's params.yaml says.

    Every part of training takes part: AIBN, camera styles and self-distillation. The
    network is the least that has them, in half the time of the recipe's.
    """
    texts = {p.stem: p.read_text("utf-8") for p in (ROOT / "recipes").glob("*.yaml")}
    texts["whole"] = (
        "synthesize: {train_pids: 6}\n"
        "model: {backbone: test_convnext, aibn: deep, tnorm: true}\n"
        "distil: {cross_entropy: 1.0, triplet: 1.0}\n"
    )
    with contextlib.chdir(ROOT):
        return build(texts, ["smoke", "whole"])


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, params: str) -> Path:
    """Return a folder in which the synthetic dataset was made and trained on."""
    folder = tmp_path_factory.mktemp("original")
    prepare(folder, params)
    with contextlib.chdir(folder):
        synthesize.main()
        train()
    return folder


def prepare(folder: Path, params: str) -> None:
    """Write what is in git and no code."""
    (folder / "params.yaml").write_text(params)
    (folder / "models/weights").mkdir(parents=True)
    (folder / "models/weights/none").touch()


def train() -> None:
    for stage in (unzip, split, intra, inter):
        stage.main()


def renamed(archive: Path, pids: np.random.Generator | None) -> dict[str, bytes]:
    """Return the members of an archive with other identities of the training images.

    The identities are drawn anew from the old ones, image by image; without a generator
    they are all 0.
    """
    with zipfile.ZipFile(archive) as file:
        members = {name: file.read(name) for name in file.namelist()}
    names = [name for name in members if "bounding_box_train/" in name]
    old = [Path(name).name.partition("_")[0] for name in names]
    new = pids.permutation(old).tolist() if pids else ["0000"] * len(old)
    for name, pid in zip(names, new, strict=True):
        _, _, rest = Path(name).name.partition("_")
        members[f"{Path(name).parent}/{pid}_{rest}"] = members.pop(name)
    assert sum("bounding_box_train/" in name for name in members) == len(names)
    return dict(sorted(members.items()))


@pytest.mark.pipeline
@pytest.mark.parametrize("pids", [np.random.default_rng(0), None], ids=["other", "no"])
def test_identities_move_no_byte_of_training(
    original: Path, tmp_path: Path, params: str, pids: np.random.Generator | None
) -> None:
    prepare(tmp_path, params)
    (tmp_path / ARCHIVE.parent).mkdir(parents=True)
    members = renamed(original / ARCHIVE, pids)
    with zipfile.ZipFile(tmp_path / ARCHIVE, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    with contextlib.chdir(tmp_path):
        train()
    for path in BLIND:
        assert (tmp_path / path).read_bytes() == (original / path).read_bytes(), path
    assert (tmp_path / TRUTH).read_bytes() != (original / TRUTH).read_bytes()


class Alone(NamedTuple):
    """A workspace in which both stages trained, and what each opened there."""

    folder: Path
    opened: dict[str, set[str]]


@pytest.fixture(scope="module")
def alone(
    original: Path, tmp_path_factory: pytest.TempPathFactory, params: str
) -> Alone:
    """Train where there is the code, the parameters, and two files of data."""
    lab = Lab(tmp_path_factory.mktemp("alone"), params)
    folder = lab.workspace("alone", LISTED)
    for path in BLIND[:2]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(original / path, folder / path)
    opened = {name: opened_by(lab, folder, "-m", f"stages.{name}") for name in TRAINING}
    return Alone(folder, opened)


@pytest.mark.long
@pytest.mark.pipeline
def test_training_needs_no_file_that_holds_identities(
    original: Path, alone: Alone
) -> None:
    found = (alone.folder / "data").rglob("*")
    data = {p.relative_to(alone.folder).as_posix() for p in found if p.is_file()}
    assert data == {*BLIND[:4]}
    for path in BLIND:
        assert (alone.folder / path).read_bytes() == (original / path).read_bytes()


@pytest.mark.long
@pytest.mark.pipeline
@pytest.mark.parametrize("name", TRAINING)
def test_training_opens_what_it_depends_on_and_nothing_else(
    alone: Alone, name: str
) -> None:
    opened = alone.opened[name]
    code = {path for path in opened if path.startswith(PACKAGES)}
    assert code - closure(f"stages/{name}.py") == set()
    assert len(code) > 20, "the hook does not see what is imported"
    stage = pipeline()[name]
    deps = {dep.replace("${weights}", "none") for dep in stage["deps"]}
    data = {d for d in deps if not d.startswith(PACKAGES)} - {"requirements.txt"}
    assert opened - code == {"params.yaml", *data, *written(stage)}


def test_whatever_is_opened_is_seen(tmp_path: Path) -> None:
    """Else the test above would show nothing."""
    lab = Lab(tmp_path, "seed: 0\n")
    folder = lab.workspace("seen", LISTED)
    (folder / "data/split").mkdir(parents=True)
    for name in ("truth", "query", "gallery"):
        (folder / f"data/split/{name}.csv").touch()
    program = (
        "import os, pathlib\n"
        "open('data/split/truth.csv').close()\n"
        "os.open('data/split/query.csv', os.O_RDONLY)\n"
        "pathlib.Path('data/split/gallery.csv').read_bytes()\n"
    )
    seen = opened_by(lab, folder, "-c", program)
    assert {p for p in seen if p.startswith("data")} == {
        *("data/split/truth.csv", "data/split/query.csv", "data/split/gallery.csv"),
    }
