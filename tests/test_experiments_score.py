from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from crosscam.files import write_npz
from experiments.score import main
from tests.small_run import features, records, write_run


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """Make a run without any file of its training."""
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path)
    return tmp_path


def test_metrics_are_those_of_the_stage(workspace, capsys):
    assert not Path("data/pseudo").exists()
    main()
    assert capsys.readouterr().out == Path("metrics/evaluate.json").read_text()


def test_other_features_are_scored_otherwise(workspace, capsys):
    """Those of each image belong to the next one: 3 images of a person follow."""
    moved = np.roll(features(), 1, axis=0)
    write_npz(Path("data/features.npz"), {"query": features(), "gallery": moved})
    main()
    found = json.loads(capsys.readouterr().out)
    assert found["mAP"] < records()["metrics"]["mAP"]


def test_missing_features_are_told_with_what_makes_them(workspace):
    Path("data/features.npz").unlink()
    with pytest.raises(SystemExit) as told:
        main()
    assert str(told.value) == "data/features.npz: no such file: run dvc repro extract"


def test_features_of_other_images_are_told(workspace):
    few = {"query": features()[:4], "gallery": features()}
    write_npz(Path("data/features.npz"), few)
    with pytest.raises(SystemExit, match="4"):
        main()
