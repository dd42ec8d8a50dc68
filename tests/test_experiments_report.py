from __future__ import annotations

from pathlib import Path

import pytest
import torch

from crosscam.recipes import MARK
from crosscam.report import pictures
from experiments.report import main
from experiments.run_files import recipe_name
from recipes.__main__ import build
from tests.repository import ROOT
from tests.small_run import committed, git, write_lock, write_run
from tests.test_report_markup import Text

RECIPES = {path.stem: path.read_text() for path in (ROOT / "recipes").glob("*.yaml")}


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Make a repository that holds a run; of each kind, one query is drawn."""
    monkeypatch.setattr(pictures, "NUM_QUERIES", 1)
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path)
    committed(tmp_path)
    return tmp_path


def report(*arguments):
    main([*arguments])
    return Path("reports/report.html").read_text("utf-8")


def refused(match):
    with pytest.raises(SystemExit, match=match) as told:
        main([])
    assert not Path("reports").exists()
    return str(told.value).splitlines()


def test_a_run_becomes_a_page_and_the_same_run_the_same(workspace, capsys):
    page = report()
    assert capsys.readouterr().out == "reports/report.html\n"
    text = Text(page.split("</style>")[1]).text
    assert "small.zip (layout market1501)" in text
    assert "Recipedefault" in text
    assert git(workspace, "rev-parse", "HEAD") in text
    assert "clean, as committed" in text
    assert page.count("<img ") == 4
    Path("params.yaml").write_text(Path("params.yaml").read_text() + "# edited\n")
    again = report("--out", "reports/report.html")
    assert again.replace("changed since: params.yaml", "clean, as committed") == page


def test_a_run_of_a_gpu_is_reported_on_a_machine_without(workspace, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    text = Path("params.yaml").read_text()
    assert "  device: auto" in text
    Path("params.yaml").write_text(text.replace("  device: auto", "  device: cuda"))
    write_lock(workspace)
    assert "cuda, which this machine has not" in Text(report()).text


def test_missing_files_are_named_with_what_brings_them(workspace):
    for path in ("data/features.npz", "plots/embedding.png"):
        Path(path).unlink()
    (line,) = refused("missing: ")
    assert line == (
        "missing: data/features.npz, plots/embedding.png: bring them with dvc pull, "
        "or make them with make repro"
    )


def test_files_and_parameters_of_two_runs_are_refused(workspace):
    Path("plots/cmc.json").write_text("[]")
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("lr_decay: 1.0", "lr_decay: 0.5"))
    first, second, last = refused("of one run")
    assert first.startswith("plots/cmc.json: md5 must be ")
    assert second == "params.yaml: inter.lr_decay: the run had 1.0, got 0.5"
    assert last == "the files are not of one run: make repro"


def test_features_that_cannot_be_ranked_are_a_message(workspace):
    Path("data/split/query.csv").write_text("offset,size,camid,pid\n0,1,0,1\n")
    write_lock(workspace)
    refused("features, pids and camids: shapes must be")


# What the parameters are called


@pytest.mark.parametrize(
    ("first_line", "name"),
    [("", "default"), (f'{MARK}"gone"\n', "gone, as it was once")],
)
def test_recipes_by_their_first_line(first_line, name):
    assert recipe_name(first_line + RECIPES["default"], RECIPES) == name


def test_edits_are_counted_by_value_not_by_text():
    text = RECIPES["default"].replace("seed: 10 ", "seed: 3 ")
    assert recipe_name(text, RECIPES) == "default (parameters changed: 2)"
    assert recipe_name(RECIPES["default"] + "\n# a remark", RECIPES) == "default"


def test_a_recipe_of_several_parts():
    text = build(RECIPES, ["iids", "market1501"])
    assert recipe_name(text, RECIPES) == "iids market1501"
    once = text.replace("archive: data/market1501", "archive: data/other")
    assert recipe_name(once, RECIPES) == "iids market1501 (parameters changed: 1)"
