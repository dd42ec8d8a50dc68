"""Overrides, read back by DVC itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from crosscam.experiment.overrides import overrides
from recipes.__main__ import BASE, build
from tests.repository import ROOT, yaml

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
FOUND = {path.stem: path.read_text("utf-8") for path in RECIPES}


def read(text: str | Path) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def after(tmp_path: Path, changes: list[str], base: dict[str, Any]) -> Any:
    """Return the tree that DVC makes of a base and some overrides."""
    path = tmp_path / "params.yaml"
    with path.open("w") as stream:
        YAML().dump(base, stream)
    apply_overrides(path, changes)
    return read(path)


def test_a_value_a_new_key_and_one_that_goes() -> None:
    current = {"seed": 1, "model": {"name": "a", "options": {"x": 0.1}}}
    wanted = {"seed": 2, "model": {"name": "a", "options": {"y": [1, 2]}}}
    assert overrides(current, wanted) == [
        "seed=2",
        "+model.options.y=[1,2]",
        "~model.options.x",
    ]
    assert overrides(current, current) == []


@pytest.mark.parametrize(
    "value",
    [
        *(0, -3, 2.5, 1e-05, 1e20, True, False, None, "", "none", "null", "true", "7"),
        *("a b", "it's", "a,b", "{a}", "[a]", "a=b", "a:b", "\\", "x\\'y", "~a", "ä"),
        *("data/market1501/raw/Market-1501-v15.09.15.zip", "resnet50.tv_in1k", "1e-5"),
        *([0.0, 0.28], [], ["train", "val"], {"a": 1, "b": [True]}, {}),
    ],
    ids=repr,
)
def test_dvc_reads_each_value_as_it_was(tmp_path: Path, value: object) -> None:
    for before in ("other", 1):
        base = {"a": {"b": before, "c": 0}}
        wanted = {"a": {"b": value, "c": 0, "new": value}}
        found = after(tmp_path, overrides(base, wanted), base)
        assert found == wanted
        assert type(found["a"]["b"]) is type(value)


@pytest.mark.parametrize(
    "names", [["iids", "msmt17"], ["convnext-small", "market1501"], ["smoke"]], ids=str
)
def test_overrides_lead_to_a_recipe_and_back(
    tmp_path: Path, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    wanted = read(build(FOUND, names))
    shutil.copy(ROOT / "recipes/default.yaml", tmp_path / "params.yaml")
    apply_overrides(
        tmp_path / "params.yaml", overrides(yaml("recipes/default.yaml"), wanted)
    )
    assert read(tmp_path / "params.yaml") == wanted
    back = overrides(wanted, yaml("recipes/default.yaml"))
    apply_overrides(tmp_path / "params.yaml", back)
    assert read(tmp_path / "params.yaml") == yaml(f"recipes/{BASE}.yaml")
