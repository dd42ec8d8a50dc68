"""The commands make seeds and make paired, with results made by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crosscam.experiment.spread import SpreadError
from crosscam.experiment.tables import (
    of_checkpoint,
    paired_table,
    spread_table,
    verdict,
)
from experiments import paired, seeds
from experiments.revisions import State
from experiments.runs import Done, Wanted
from tests.repository import ROOT, yaml

ABOUT = b'{"name": "a", "archive": "a.zip", "revision": "0"'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    known = {".": "params.yaml", "models": "models/none"}
    monkeypatch.setattr(seeds, "git", lambda _, path: known.get(path, ""))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Run nothing: mAP is the seed in hundredths, twice that at other checkpoints."""
    calls: list[Any] = []

    def run_all(wanted: list[Wanted], jobs: int, copied: list[str]) -> list[Done]:
        calls.append((wanted, jobs, copied))
        return [Done(one.params, metrics(one.params)) for one in wanted]

    monkeypatch.setattr(seeds, "run_all", run_all)
    monkeypatch.setattr(seeds, "state", lambda: State("abc", "2026-11-22", []))
    return calls


def metrics(params: dict[str, Any]) -> dict[str, float]:
    last = params["extract"]["checkpoint"] == seeds.LAST
    value = params["seed"] / 100 * (1 if last else 2)
    return dict.fromkeys(("mAP", "mINP", "rank1", "rank5", "rank10"), value)


def test_params_as_they_are_over_their_next_seeds(
    folder: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    seeds.main(["--num", "3"])
    ((wanted, jobs, copied),) = asked
    assert [one.name for one in wanted] == ["default-10", "default-11", "default-12"]
    assert wanted[0].changes == []
    assert wanted[1].changes == ["seed=11", "synthesize.seed=11"]
    assert (jobs, copied) == (1, [])
    written = json.loads((folder / "reports/seeds/default.json").read_text())
    assert [run["seed"] for run in written["runs"]] == [10, 11, 12]
    assert written["revision"] == "abc"
    # Mean 11, sd 1: the interval is 11 ± 4.3027 / sqrt(3).
    line = "| inter.safetensors | mAP | 11.0 ± 1.0 | 8.5 to 13.5 |"
    assert line in capsys.readouterr().out
    assert line in (folder / "reports/seeds/default.md").read_text()


def test_a_recipe_of_a_real_dataset_takes_its_files_along(
    folder: Path, asked: list[Any]
) -> None:
    seeds.main(["market1501-window", "--num", "2", "--first", "4", "--jobs", "2"])
    ((wanted, jobs, copied),) = asked
    assert [one.name for one in wanted] == [f"market1501-window-{s}" for s in (4, 5)]
    assert jobs == 2
    assert copied == ["data/market1501/raw"]
    # The seed is that of training alone: the dataset has none.
    assert "seed=4" in wanted[0].changes
    assert not any("synthesize" in change for change in wanted[0].changes)


def test_weights_of_ones_own_are_copied(folder: Path) -> None:
    params = {"archive": seeds.SYNTHETIC, "weights": "mine.safetensors"}
    assert seeds.ignored_inputs(params) == ["models/weights/mine.safetensors"]


def test_an_archive_that_dvc_tracks_is_not_copied(folder: Path) -> None:
    params = {"archive": "data/mine/raw/mine.zip", "weights": "none"}
    assert seeds.ignored_inputs(params) == ["data/mine/raw"]
    (folder / "data/mine/raw").mkdir(parents=True)
    (folder / "data/mine/raw/mine.zip.dvc").touch()
    assert seeds.ignored_inputs(params) == []


def test_an_archive_in_a_folder_that_git_knows_is_copied_alone(folder: Path) -> None:
    for name in ("mine.zip", "models/mine.zip"):
        params = {"archive": name, "weights": "none"}
        assert seeds.ignored_inputs(params) == [name]


def test_other_checkpoints_come_after_the_last_one(
    folder: Path, asked: list[Any]
) -> None:
    """So that training has run, and only `extract` and `evaluate` are left."""
    seeds.main(["--num", "2", "--checkpoints", "none", "inter.safetensors"])
    (first, *_), (second, *_) = asked
    assert [one.name for one in first] == ["default-10", "default-11"]
    assert [one.name for one in second] == ["default-10-none", "default-11-none"]
    assert second[0].changes == ["extract.checkpoint=none"]
    runs = json.loads((folder / "reports/seeds/default.json").read_text())["runs"]
    assert [run["metrics"]["mAP"] for run in runs] == [0.1, 0.11, 0.2, 0.22]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--num", "1"], "--num: a spread needs at least 2 seeds, got 1"),
        (
            ["iics-treshold"],
            "no recipe 'iics-treshold', did you mean 'iics-threshold'?",
        ),
    ],
)
def test_faults_end_the_command_in_one_line(
    asked: list[Any], arguments: list[str], told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        seeds.main(arguments)
    assert told in str(ended.value)
    assert "\n" not in str(ended.value)
    assert asked == [], "nothing has run for it"


def test_reading_gives_a_tree_of_ones_own(folder: Path) -> None:
    text = (folder / "params.yaml").read_text()
    assert seeds.read(text) == yaml("params.yaml")


# Two recipes beside each other


def runs_of(*values: float, first: int = 10) -> list[dict[str, Any]]:
    return [
        {
            "seed": seed,
            "checkpoint": seeds.LAST,
            "metrics": dict.fromkeys(
                ("mAP", "mINP", "rank1", "rank5", "rank10"), value
            ),
        }
        for seed, value in enumerate(values, start=first)
    ]


def put(folder: Path, name: str, runs: list[Any], **changes: str) -> None:
    (folder / "reports/seeds").mkdir(parents=True, exist_ok=True)
    about = {"name": name, "archive": "a.zip", "revision": "0" * 40, "runs": runs}
    about |= changes
    (folder / f"reports/seeds/{name}.json").write_text(json.dumps(about))


def test_two_recipes_by_hand(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Seeds 11 and 12 are shared: 20 to 22 and 30 to 33, mean +2.5, sd 0.7071.

    The interval is ± 12.7062 · 0.7071 / sqrt(2) = 6.35, which takes in 0.
    """
    put(folder, "a", runs_of(0.1, 0.2, 0.3))
    put(folder, "b", runs_of(0.22, 0.33, 0.9, first=11))
    paired.main(["a", "b"])
    told = capsys.readouterr().out
    assert "| mAP | 25.0 | 27.5 | +2.5 (-3.9 to +8.9) | not resolved;" in told
    assert "pairs of equal seeds: 11, 12" in told
    assert "commits" not in told


def test_runs_of_two_commits_are_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder, "a", runs_of(0.1, 0.2))
    put(folder, "b", runs_of(0.1, 0.3), revision="1" * 40)
    paired.main(["a", "b"])
    assert "two commits (a 0000000, b 1111111)" in capsys.readouterr().out


def test_different_datasets_are_not_compared(folder: Path) -> None:
    put(folder, "a", runs_of(0.1, 0.2))
    put(folder, "b", runs_of(0.1, 0.2), archive="b.zip")
    with pytest.raises(SystemExit, match=r"datasets differ: a: a.zip, b: b.zip"):
        paired.main(["a", "b"])


def test_an_unknown_name_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(SystemExit, match="known are none yet: make seeds makes them"):
        paired.load("a")
    put(folder, "iics", runs_of(0.1, 0.2))
    with pytest.raises(SystemExit, match="known are iics: make seeds"):
        paired.load("a")


@pytest.mark.parametrize("arguments", [[], ["a"], ["a", "b", "c"]])
def test_without_two_names_the_variables_are_named(arguments: list[str]) -> None:
    told = f"got {len(arguments)}: give both, as in A=iics-synthetic B=iids-synthetic"
    with pytest.raises(SystemExit, match=told):
        paired.main(arguments)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"name": "a", ',
        b"\xff",
        b"[]",
        ABOUT + b"}",
        ABOUT + b', "runs": 3}',
        ABOUT + b', "runs": [1]}',
        ABOUT + b', "runs": [{"seed": 1}]}',
        ABOUT + b', "runs": [{"seed": 1, "checkpoint": "x", "metrics": {}}]}',
    ],
)
def test_a_damaged_file_is_a_message(folder: Path, data: bytes) -> None:
    put(folder, "a", runs_of(0.1, 0.2))
    (folder / "reports/seeds/b.json").write_bytes(data)
    with pytest.raises(SystemExit, match=r"^reports/seeds/b.json: is damaged, or was"):
        paired.main(["a", "b"])


def test_a_checkpoint_without_runs() -> None:
    with pytest.raises(
        SpreadError, match=r"known are \['inter.safetensors'\], got 'x'"
    ):
        of_checkpoint(runs_of(0.1), "x")


def test_verdicts() -> None:
    assert verdict(resolved=True, num_needed=3) == "resolved"
    assert verdict(resolved=False, num_needed=None) == "none"
    assert verdict(resolved=False, num_needed=12).endswith("about 12 seeds would do")


def test_tables_of_clear_cases() -> None:
    better = paired_table(["a", "b"], [runs_of(0.1, 0.2), runs_of(0.3, 0.4)])
    assert "| rank-1 | 15.0 | 35.0 | +20.0 (+20.0 to +20.0) | resolved |" in better
    assert "over seeds 10, 11." in spread_table("a", runs_of(0.1, 0.2))


def test_re_ranked_metrics_are_told_where_all_runs_have_them() -> None:
    plain, reranked = runs_of(0.1, 0.2), runs_of(0.3, 0.4)
    for run in reranked:
        run["metrics"] = run["metrics"] | {"mAP_reranked": run["metrics"]["mAP"]}
    assert "| mAP, re-ranked | " in spread_table("a", reranked)
    assert "re-ranked" not in paired_table(["a", "b"], [plain, reranked])
    assert "| mAP, re-ranked | " in paired_table(["a", "b"], [reranked, reranked])
