from __future__ import annotations

from crosscam.report.locked import faults, inputs, leaves, outputs, reached
from tests.small_run import default_params, lock

PARAMS = default_params()


def test_stages_that_the_last_one_does_not_rest_on_are_left_out():
    stages = lock(PARAMS, {})
    stages["unzip"]["deps"][0]["path"] = "data/market1501/raw/Market.zip"
    assert [*reached(stages, "evaluate")] == [
        *("unzip", "split", "intra", "inter", "extract", "evaluate")
    ]
    assert "synthesize" in reached(lock(PARAMS, {}), "evaluate")
    assert [*reached(stages, "split")] == ["unzip", "split"]
    assert reached(stages, "nothing") == {}


def test_inputs_are_what_no_stage_makes_and_is_no_code():
    stages = lock(PARAMS, {})
    assert inputs(stages) == []
    del stages["synthesize"]
    stages["inter"]["deps"].append(stages["unzip"]["deps"][0])
    (archive,) = inputs(stages)
    assert archive.path == "data/synthetic/raw/synthetic.zip"
    assert (archive.stage, archive.size, archive.md5) == ("unzip", 1234, "f" * 32)


def test_outputs_come_in_the_order_of_the_lock():
    found = outputs(lock(PARAMS, {"plots/cmc.json": "abc"}))
    assert found[0].path == "data/synthetic/raw/synthetic.zip"
    assert found[-1].stage == "evaluate"
    assert [out.md5 for out in found if out.path == "plots/cmc.json"] == ["abc"]


def test_a_run_of_these_parameters_and_files_has_no_fault():
    stages = lock(PARAMS, {"plots/cmc.json": "abc"})
    assert faults(stages, PARAMS, {"plots/cmc.json": "abc"}) == []


def test_single_parameters_of_a_group_are_compared():
    """As dvc.yaml names them where not all of the group makes a stage run."""
    given = {"params.yaml": {"compute.threads": 1, "compute.mix": {"a": 2}}}
    stages = {"intra": {"params": given}}
    compute = {"threads": 1, "mix": {"a": 2}, "cache": 8}
    assert faults(stages, {"compute": compute}, {}) == []
    assert faults(stages, {"compute": {**compute, "threads": 4}}, {}) == [
        "params.yaml: compute.threads: the run had 1, got 4"
    ]
    assert faults(stages, {"compute": 5}, {}) == [
        "params.yaml: compute.threads: the run had 1, got None",
        "params.yaml: compute.mix.a: the run had 2, got None",
    ]


def test_files_and_parameters_of_another_run_are_named():
    stages = lock(PARAMS, {"plots/cmc.json": "abc"})
    other = {**PARAMS, "seed": 3, "inter": {**PARAMS["inter"], "lr": 7.0}}
    del other["inter"]["rounds"]
    lines = faults(stages, other, {"plots/cmc.json": "def", "plots/new.json": "1"})
    assert lines == [
        "plots/cmc.json: md5 must be abc, as in dvc.lock, got def",
        "plots/new.json: md5 must be known, as in dvc.lock, got 1",
        "params.yaml: seed: the run had 10, got 3",
        "params.yaml: inter.rounds: the run had 5, got None",
        "params.yaml: inter.lr: the run had 0.002, got 7.0",
    ]


def test_parameters_that_no_stage_of_the_run_reads_may_differ():
    assert faults(lock(PARAMS, {}), {**PARAMS, "compute": {"threads": 9}}, {}) == []


def test_leaves_are_named_by_their_path():
    tree = {"a": 1, "b": {"c": [1, 2], "d": {}, "e": {"f": None}}}
    assert leaves(tree) == {"a": 1, "b.c": [1, 2], "b.d": {}, "b.e.f": None}
    assert leaves(3, "seed") == {"seed": 3}
