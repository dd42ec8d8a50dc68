"""crosscam.recipes and `make recipe`: checked results, kept comments, kept edits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import timm
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from crosscam.params import Count, ParamsError, Positive, Seed, parse_params
from crosscam.recipes import (
    applied_recipes,
    apply_recipes,
    description,
    free_mappings,
)
from recipes import __main__ as command
from tests.repository import ROOT, committed

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))

BASE = """\
# Every knob of the pipeline.
seed: 0              # any integer

# --- network ---
model:
  size: [256, 128]   # pixels
  name: "resnet50"   # of timm
  options: {drop: 1} # handed to timm
  optim:
    lr: 3.5e-4       # table 2

intra:
  rounds: 40         # times
"""

IIDS = "# IIDS on any dataset\nmodel: {optim: {lr: 1e-05}}\nintra:\n  rounds: 5 # few\n"


@dataclass(frozen=True)
class Optim:
    lr: Positive


@dataclass(frozen=True)
class Model:
    size: tuple[int, int]
    name: str
    options: dict[str, int]
    optim: Optim


@dataclass(frozen=True)
class Intra:
    rounds: Count


@dataclass(frozen=True)
class First:
    seed: Seed
    model: Model


@dataclass(frozen=True)
class Second:
    model: Model
    intra: Intra


SCHEMAS = (First, Second)


def applied(recipes: dict[str, str]) -> str:
    """Return the base with all of these recipes applied."""
    return apply_recipes(BASE, recipes, list(recipes), SCHEMAS)


def comments(text: str) -> list[str]:
    return re.findall(r"#.*", text)


def test_a_recipe_changes_its_values_and_nothing_else() -> None:
    text = applied({"iids": IIDS})
    expected = BASE.replace("3.5e-4", "1e-05 ").replace("40 ", "5  ")
    assert text == f'# Written by: make recipe NAME="iids"\n{expected}'


def test_no_recipe_is_the_base_byte_for_byte() -> None:
    assert applied({}) == BASE


def test_later_recipes_win() -> None:
    recipes = {"a": "seed: 1\nintra: {rounds: 1}", "b": "intra: {rounds: 2}"}
    text = applied(recipes)
    assert parse_params(text, First, "p").seed == 1
    assert parse_params(text, Second, "p").intra.rounds == 2
    assert applied_recipes(text) == ["a", "b"]


FAMILY = {
    "market1501": "seed: 7",
    "iics": "intra: {rounds: 2}\nmodel: {name: a, optim: {lr: 1.0}}\n"
    "datasets: {market1501: {seed: 8, intra: {rounds: 3}}}",
    "iids": "extends: iics\nmodel: {name: b}\ndatasets: {market1501: {seed: 9}}",
    "msmt17": "{}",
}


def family(*names: str) -> tuple[int, int, str, float]:
    text = apply_recipes(BASE, FAMILY, names, SCHEMAS)
    assert applied_recipes(text) == [*names]
    p, q = parse_params(text, First, "p"), parse_params(text, Second, "p")
    return p.seed, q.intra.rounds, p.model.name, p.model.optim.lr


def test_a_recipe_starts_from_the_one_it_extends() -> None:
    assert family("iics") == (0, 2, "a", 1.0)
    assert family("iids") == (0, 2, "b", 1.0)


def test_what_differs_for_a_dataset_comes_last() -> None:
    assert family("iids", "market1501") == (9, 3, "b", 1.0)
    assert family("market1501", "iids") == (9, 3, "b", 1.0)
    assert family("iics", "market1501") == (8, 3, "a", 1.0)
    assert family("iids", "msmt17") == (0, 2, "b", 1.0)


@pytest.mark.parametrize(
    ("recipe", "fault"),
    [
        ("extends: iidz", "r: extends: there is no recipe 'iidz', did you mean 'iids'"),
        ("extends: r", r"r: extends: extends itself, got \['r'\]"),
        ("datasets: {zeal: {}}", "r: datasets: there is no recipe 'zeal', known are"),
        ("datasets: {msmt17: {sead: 1}}", "r: datasets: msmt17: sead: unknown section"),
    ],
)
def test_a_bad_relation_between_recipes(recipe: str, fault: str) -> None:
    with pytest.raises(ParamsError, match=fault):
        apply_recipes(BASE, FAMILY | {"r": recipe}, ["r", "msmt17"], SCHEMAS)


def test_lists_and_free_mappings_are_replaced_as_a_whole() -> None:
    recipe = "model: {size: [64, 32], options: {depth: 3}}"
    model = parse_params(applied({"r": recipe}), First, "p").model
    assert model.size == (64, 32)
    assert model.options == {"depth": 3}
    empty = applied({"r": "model: {options: {}}"})
    assert parse_params(empty, First, "p").model.options == {}
    assert comments(empty)[1:] == comments(BASE)


def test_free_mappings_are_found_at_any_depth() -> None:
    assert free_mappings(First) == {"model.options"}
    assert free_mappings(Intra) == set()


def test_every_fault_at_once_and_once() -> None:
    recipes = {
        "a": "models: {}\nmodel: {size: [1], optim: {lr: -1}}",
        "b": "intra: {round: 3, rounds: many}",
        "c": "- list",
        "d": "x: [",
    }
    with pytest.raises(ParamsError) as caught:
        applied(recipes)
    found = str(caught.value).splitlines()
    assert "a: models: unknown section, did you mean 'model'?" in found
    assert "c: expected a mapping of sections, got ['list']" in found
    assert any(line.startswith("d: is not valid YAML: ") for line in found)
    for fault in (
        "model.size: expected 2 values, got [1]",
        "model.optim.lr: must be above 0, got -1.0",
        "intra.round: unknown key, did you mean 'rounds'?",
        "intra.rounds: expected int, got 'many'",
    ):
        assert found.count(f"a b c d: {fault}") == 1


@pytest.mark.parametrize(
    ("recipe", "fault"),
    [
        ("zeal: 1", "unknown section: known are"),
        ("intra: 3", "intra: expected a mapping, got 3"),
        ("seed: {a: 1}", "seed: expected int, got"),
    ],
)
def test_a_bad_recipe(recipe: str, fault: str) -> None:
    with pytest.raises(ParamsError, match=fault):
        applied({"r": recipe})


def test_an_empty_recipe_leaves_the_base_below_the_mark() -> None:
    text = applied({"r": "# nothing\n"})
    assert text == f'# Written by: make recipe NAME="r"\n{BASE}'


@given(st.integers(0, 2**32 - 1))
def test_random_recipes_keep_comments_and_give_their_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rounds = int(rng.integers(1, 10**6))
    # Numbers as people write them: of 16 digits ruamel may lose the last.
    lr = float(f"{10 ** rng.uniform(-8, 3):.6g}")
    recipe = f"model:\n  optim:\n    lr: {lr!r}\nintra: {{rounds: {rounds}}}\n"
    text = applied({"r": recipe})
    assert parse_params(text, Second, "p").model.optim.lr == lr
    assert parse_params(text, Second, "p").intra.rounds == rounds
    assert comments(text)[1:] == comments(BASE)


def test_description_is_the_first_comment() -> None:
    assert description(IIDS) == "IIDS on any dataset"
    assert description("") == ""


def test_a_file_that_no_recipe_wrote_names_none() -> None:
    assert applied_recipes(BASE) == []
    assert applied_recipes("") == []


# The command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a base, two recipes and the base as params.yaml."""
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/default.yaml").write_text(BASE)
    (tmp_path / "recipes/iids.yaml").write_text(IIDS)
    (tmp_path / "recipes/market1501.yaml").write_text("# Its size\nseed: 9\n")
    (tmp_path / "params.yaml").write_text(BASE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "schemas", lambda: list(SCHEMAS))
    return tmp_path


def test_the_command_lists_recipes(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main([])
    assert capsys.readouterr().out == (
        "default     Every knob of the pipeline.\n"
        "iids        IIDS on any dataset\n"
        "market1501  Its size\n"
    )
    assert (folder / "params.yaml").read_text() == BASE


def test_the_command_goes_from_recipe_to_recipe_and_back(folder: Path) -> None:
    path = folder / "params.yaml"
    command.main(["iids", "market1501"])
    assert 'NAME="iids market1501"' in path.read_text()
    assert "seed: 9  " in path.read_text()
    command.main(["market1501"])
    command.main(["default"])
    assert path.read_text() == BASE
    path.unlink()
    command.main(["default"])
    assert path.read_text() == BASE


@pytest.mark.parametrize("start", [[], ["iids"]])
def test_the_command_keeps_edits_unless_forced(folder: Path, start: list[str]) -> None:
    path = folder / "params.yaml"
    if start:
        command.main(start)
    path.write_text(path.read_text().replace("256", "255"))
    edited = path.read_text()
    with pytest.raises(SystemExit, match=r"params\.yaml: has edits .* FORCE=1"):
        command.main(["market1501"])
    assert path.read_text() == edited
    command.main(["market1501", "--force"])
    assert "256" in path.read_text()


def test_the_command_keeps_what_a_changed_recipe_wrote(folder: Path) -> None:
    command.main(["iids"])
    (folder / "recipes/iids.yaml").write_text("# broken\nintra: {rounds: 0}\n")
    with pytest.raises(SystemExit, match="FORCE=1"):
        command.main(["default"])


def test_the_command_names_what_it_does_not_know(folder: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(["iid", "zeal"])
    assert str(caught.value) == (
        "recipes: there is no recipe 'iid', did you mean 'iids'?\n"
        "recipes: there is no recipe 'zeal', "
        "known are ['default', 'iids', 'market1501']"
    )
    assert (folder / "params.yaml").read_text() == BASE


def test_the_command_refuses_a_bad_recipe(folder: Path) -> None:
    (folder / "recipes/iids.yaml").write_text("# bad\nintra: {rounds: 0}\n")
    with pytest.raises(SystemExit, match=r"iids: intra\.rounds: must be at least 1"):
        command.main(["iids"])
    assert (folder / "params.yaml").read_text() == BASE


# The recipes of this repository


def test_the_default_recipe_is_the_committed_params_yaml() -> None:
    """As committed: who has applied a recipe or edited a value may still run tests."""
    same = committed("recipes/default.yaml") == committed("params.yaml")
    assert same, "run `cp params.yaml recipes/default.yaml` and commit both"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_described_checked_and_loses_no_comment(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    found = command.texts()
    assert found[path.stem].startswith("# ")
    text = command.build(found, [path.stem])
    base = comments(found["default"])
    assert comments(text)[path.stem != "default" :] == base
    changes, result = (
        YAML(typ="safe", pure=True).load(t) for t in (found[path.stem], text)
    )
    own = {key: changes[key] for key in changes if key not in {"extends", "datasets"}}
    assert leaves(own, "").items() <= leaves(result, "").items()


DATASETS = ["market1501", "dukemtmc", "msmt17", "synthetic"]
OTHERS = {*DATASETS, "default", "smoke", "market1501-window"}
SYSTEMS = [path.stem for path in RECIPES if path.stem not in OTHERS]


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_has_every_dataset(
    system: str, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    found = command.texts()
    tree = YAML(typ="safe", pure=True).load(command.build(found, [system, dataset]))
    assert f"data/{dataset}/raw/" in tree["archive"]
    small = tree["model"]["image_size"] == [64, 32]
    assert small == (dataset == "synthetic")


# The published settings, a value per key; MSMT17's epochs are apart.
_KEYS = """
    weights model.backbone model.last_stride model.aibn model.tnorm model.neck
    intra.epochs inter.intra_epochs inter.rounds inter.epochs
    intra.batch_per_camera inter.num_pids_per_batch inter.num_instances
    intra.lr inter.lr optim.backbone_factor
    intra.clusters.by inter.clusters.by intra.clusters.min_size inter.clusters.min_size
    inter.mix.weight distil.cross_entropy distil.triplet
"""
KEYS = _KEYS.split()
RESNET = "resnet50.tv_in1k"
TINY, SMALL = "convnext_tiny.fb_in22k", "convnext_small.fb_in22k"
PUBLISHED = {
    "iics": f"""
        timm {RESNET} 1 deep False head  2 2 40 2  8 16 4  0.005 0.01 0.1
        count count 1 1  0.02 0.0 0.0""",
    "iics-threshold": f"""
        timm {RESNET} 1 deep False head  2 2 40 2  8 16 4  0.005 0.01 0.1
        quantile quantile 1 1  0.02 0.0 0.0""",
    "iids": f"""
        timm {RESNET} 1 deep True head  3 3 40 2  8 16 4  0.005 0.01 0.1
        quantile quantile 2 2  0.01 1.0 1.0""",
    "convnext": f"""
        timm {TINY} 2 none False head  3 3 40 2  4 8 4  0.005 0.005 0.1
        quantile quantile 2 2  0.01 1.0 1.0""",
    "convnext-aibn-tnorm": f"""
        timm {TINY} 2 deep True head  3 3 40 2  4 8 4  0.005 0.005 0.1
        quantile quantile 2 2  0.01 1.0 1.0""",
}
PUBLISHED |= {
    f"{name}-small": PUBLISHED[name].replace(TINY, SMALL)
    for name in ("convnext", "convnext-aibn-tnorm")
}
# What all of them have in common.
ALIKE = {
    "model.image_size": [256, 128],
    "model.aibn_mix": 0.1,
    "optim.name": "sgd",
    "optim.momentum": 0.9,
    "optim.weight_decay": 0.0005,
    "optim.schedule": "constant",
    "head.kind": "linear",
    "intra.rounds": 1,
    "intra.rerank.k1": 20,
    "intra.rerank.k2": 6,
    "intra.rerank.lambda_": 0.3,
    "inter.rerank.k1": 20,
    "inter.rerank.k2": 6,
    "inter.rerank.lambda_": 0.3,
    "intra.clusters.num_clusters": 600,
    "inter.clusters.num_clusters": 800,
    "inter.mix.power": 0.6,
    "inter.triplet.weight": 1.0,
    "inter.triplet.margin": 0.3,
    "inter.lr_decay": 1.0,
}
QUANTILES = {"intra.clusters.quantile": 0.0025, "inter.clusters.quantile": 0.0017}
MSMT17_EPOCHS = {"iics": 12, "iics-threshold": 12}  # the others: 36


@pytest.mark.parametrize("dataset", ["market1501", "dukemtmc", "msmt17"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_system_has_the_published_settings(
    system: str, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    found = command.texts()
    tree = YAML(typ="safe", pure=True).load(command.build(found, [system, dataset]))
    values = {key.removeprefix("."): v for key, v in leaves(tree, "").items()}
    expected = dict(zip(KEYS, PUBLISHED[system].split(), strict=True))
    if dataset == "msmt17":
        epochs = str(MSMT17_EPOCHS.get(system, 36))
        expected |= {"intra.epochs": epochs, "inter.intra_epochs": epochs}
    assert {key: str(values[key]) for key in KEYS} == expected
    alike = ALIKE if system == "iics" else ALIKE | QUANTILES
    assert {key: values[key] for key in alike} == alike
    assert timm.get_pretrained_cfg(values["model.backbone"]) is not None


def leaves(tree: object, where: str) -> dict[str, object]:
    if not isinstance(tree, dict):
        return {where: tree}
    return {
        k: v for key in tree for k, v in leaves(tree[key], f"{where}.{key}").items()
    }


@pytest.mark.parametrize(
    "path",
    [
        *("Makefile", "README.md", "CONTRIBUTING.md", "recipes/__main__.py"),
        *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
    ],
)
def test_examples_name_recipes_that_exist(path: str) -> None:
    example = r"""(?:NAME|DATASET)=(?:"([^"]+)"|([\w<>-]+))"""
    found = re.findall(example, (ROOT / path).read_text("utf-8"))
    names = {name for both in found for text in both for name in text.split()}
    assert names or path.startswith("docs/")
    assert names - {"<name>"} <= {recipe.stem for recipe in RECIPES}
