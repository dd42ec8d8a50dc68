"""The table of the README is that of the results, and its numbers are right."""

import json

from benchmarks.default_recipe import README, RESULTS, ROWS, table, with_table


def scores(mAP: float) -> dict[str, dict[str, float]]:
    return {key: {"mAP": mAP, "rank1": mAP / 2} for key in ROWS}


def test_mean_and_standard_deviation_over_runs_by_hand() -> None:
    runs = [
        {"dataset_seed": 10, "seed": 1, **scores(0.30)},
        {"dataset_seed": 11, "seed": 1, **scores(0.40)},
    ]
    lines = table(runs).splitlines()
    # mean 35, deviation sqrt((5² + 5²) / 1) = 7.07
    assert lines[3] == "| untrained network | 35.0 ± 7.1 | 17.5 ± 3.5 |"
    assert "2 runs: dataset seeds 10, 11 × training seeds 1," in lines[-1]


def test_only_the_text_between_the_marks_is_replaced() -> None:
    runs = [{"dataset_seed": d, "seed": 1, **scores(0.3)} for d in (1, 2)]
    text = "a\n<!-- results -->\nold\n<!-- /results -->\nb\n"
    new = with_table(text, runs)
    assert new.startswith("a\n<!-- results -->\n| |")
    assert new.endswith("<!-- /results -->\nb\n")
    assert "old" not in new
    assert with_table(new, runs) == new


def test_the_readme_holds_the_table_of_the_committed_results() -> None:
    text = README.read_text()
    assert with_table(text, json.loads(RESULTS.read_text())) == text


def test_the_committed_results_show_what_the_readme_claims() -> None:
    runs = json.loads(RESULTS.read_text())
    assert len({run["dataset_seed"] for run in runs}) >= 2
    assert len({run["seed"] for run in runs}) >= 3
    mean = {k: sum(100 * run[k]["mAP"] for run in runs) / len(runs) for k in ROWS}
    assert mean["intra"] - mean["untrained"] >= 5
    assert mean["inter"] - mean["intra"] >= 5
    assert mean["inter"] - mean["histogram"] >= 10
