"""Training sees no identity: with others in the archive it gives the same bytes."""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from recipes.__main__ import build
from stages import inter, intra, split, synthesize, unzip
from tests.repository import ROOT, pipeline

ARCHIVE = Path("data/synthetic/raw/synthetic.zip")
TRUTH = "data/split/truth.csv"
BLIND = (
    "data/packed/images.bin",
    "data/split/train.csv",
    "data/pseudo/intra.npz",
    "data/pseudo/inter.npz",
    "models/intra.safetensors",
    "models/inter.safetensors",
)


@pytest.mark.parametrize("name", ["intra", "inter"])
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
    (folder / "params.yaml").write_text(params)
    with contextlib.chdir(folder):
        synthesize.main()
        train()
    return folder


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
    (tmp_path / "params.yaml").write_text(params)
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
