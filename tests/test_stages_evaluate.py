from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dvc_render.vega import VegaRenderer
from PIL import Image

from crosscam.files import write_npz
from crosscam.rank.feature_set import RankingError
from crosscam.room import RoomError
from stages import evaluate
from tests.full_disk import fill_disk
from tests.hostile.workspace import outcome
from tests.repository import pipeline

REPOSITORY = Path(__file__).parents[1]
OUTPUTS = {
    "metrics/evaluate.json",
    "plots/camera_pairs.json",
    "plots/cmc.json",
    "plots/embedding.png",
    "plots/pseudo_labels.json",
    "plots/ranked.png",
}
PARAMS = """evaluate:
  {seed: 0, max_rank: 4, bootstrap: 20, ranked_queries: 2, chunk_size: 2, rerank: null}
"""
# Angles on the circle stand for features: the distance of two is 1 - cos.
QUERY = pd.DataFrame({"angle": [0, 90, 180], "pid": [1, 2, 3], "camid": [0, 0, 1]})
GALLERY = pd.DataFrame({
    "angle": [20, 10, 85, 95, 5, 0],
    "pid": [1, 2, 2, 0, -1, 1],
    "camid": [1, 1, 2, 1, 1, 0],
})


def features(angles):
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make what the earlier stages leave; return the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("data/packed", "data/split"):
        Path(name).mkdir(parents=True)
    Path("params.yaml").write_text(PARAMS)
    images = io.BytesIO()
    for name, table in {"query": QUERY, "gallery": GALLERY}.items():
        offsets = []
        for row in range(len(table)):
            offsets.append(images.tell())
            Image.new("RGB", (8, 16), (20 * row, 90, 90)).save(images, "PNG")
            images.seek(0, io.SEEK_END)
        sizes = np.diff([*offsets, images.tell()])
        written = table.assign(offset=offsets, size=sizes)
        columns = ["offset", "size", "camid", "pid"]
        written[columns].to_csv(f"data/split/{name}.csv", index=False)
    Path("data/packed/images.bin").write_bytes(images.getvalue())
    pd.DataFrame({"offset": 0, "size": 9, "camid": [0, 0, 1, 1]}).to_csv(
        "data/split/train.csv", index=False
    )
    pd.DataFrame({"pid": [7, 8, 7, 7]}).to_csv("data/split/truth.csv", index=False)
    write_features()
    within = np.array([[0, 1, 0, 0]], np.int32)
    across = np.array([[0, 0, 0, -1], [0, 1, 0, 0]], np.int32)
    write_npz(Path("data/pseudo/intra.npz"), {"labels": within})
    inter = {"labels": across, "intra_labels": within}
    write_npz(Path("data/pseudo/inter.npz"), inter)
    return tmp_path


def write_features(**changed):
    shown = {"shown_query": np.array([0, 1]), "shown_gallery": np.array([0, 2])}
    arrays = {
        "query": features(QUERY["angle"]),
        "gallery": features(GALLERY["angle"]),
        "untrained_query": features([50, 60]),
        "untrained_gallery": features([55, 65]),
    }
    write_npz(Path("data/features.npz"), arrays | shown | changed)


def outputs(folder):
    files = [*folder.glob("metrics/*"), *folder.glob("plots/*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def written(name):
    return json.loads(Path(name).read_text())


def test_metrics(folder):
    evaluate.main()
    assert outputs(folder).keys() == OUTPUTS
    metrics = written("metrics/evaluate.json")
    # Junk and the image of one's own camera left out, query 0 sees identities 2, 1, ...
    # and query 1 sees 0, 2, 1, 2, ...: the first two at one distance, the wrong first.
    first, second = 1 / 2, (1 / 2 + 2 / 4) / 2
    assert metrics["mAP"] == pytest.approx((first + second) / 2, abs=1e-6)
    assert metrics["mINP"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert (metrics["rank1"], metrics["rank5"]) == (0, 1)
    assert metrics["num_queries"] == 2
    assert metrics["queries_without_match"] == 1
    assert metrics["gallery_junk"] == 1


def test_plots(folder):
    evaluate.main()
    curve = [(record["rank"], record["cmc"]) for record in written("plots/cmc.json")]
    assert curve == [(1, 0), (2, 1), (3, 1), (4, 1)]
    pairs = written("plots/camera_pairs.json")
    assert [(p["query_camera"], p["gallery_camera"]) for p in pairs] == [(1, 2), (1, 3)]
    assert [p["num_queries"] for p in pairs] == [2, 1]
    steps = written("plots/pseudo_labels.json")
    assert [(s["step"], s["phase"], s["round"]) for s in steps] == [
        (1, "intra", 1),
        (2, "inter", 1),
        (3, "intra", 2),
        (4, "inter", 2),
    ]
    assert [step["outliers"] for step in steps] == [0, 0.25, 0, 0]
    assert [step["ari"] for step in steps] == [1, 0, 1, 1]
    with Image.open("plots/ranked.png") as ranked:
        assert ranked.width > ranked.height


def test_same_inputs_same_bytes(folder):
    evaluate.main()
    first = outputs(folder)
    evaluate.main()
    assert outputs(folder) == first


def test_inter_rounds_without_intra_phases(folder):
    write_npz(Path("data/pseudo/inter.npz"), {"labels": np.zeros((2, 4), np.int32)})
    evaluate.main()
    phases = [record["phase"] for record in written("plots/pseudo_labels.json")]
    assert phases == ["intra", "inter", "inter"]


def test_a_fault_leaves_earlier_outputs(folder):
    evaluate.main()
    before = outputs(folder)
    write_features(query=np.full((3, 2), np.nan, np.float32))
    with pytest.raises(RankingError, match="3 rows are not finite"):
        evaluate.main()
    assert outputs(folder) == before


def test_a_fault_is_told_without_a_traceback(folder):
    (folder / "params.yaml").write_text(PARAMS.replace("max_rank", "maxrank"))
    child = subprocess.run(
        [sys.executable, "-m", "stages.evaluate"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 1
    assert "evaluate.maxrank: unknown key, did you mean 'max_rank'?" in child.stderr
    assert "Traceback" not in child.stderr


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("data/split/query.csv", "not a table of images, got .*: run the stage split"),
        ("data/features.npz", "no such file: run dvc repro"),
    ],
)
def test_missing_inputs_are_told_with_what_to_run(folder, path, told):
    (folder / path).unlink()
    child = subprocess.run(
        [sys.executable, "-m", "stages.evaluate"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 1
    assert re.fullmatch(f"{path}: {told}\n", child.stderr)
    assert outputs(folder) == {}


@pytest.mark.parametrize(
    ("after", "path"), [(0, "metrics/evaluate.json"), (4, "plots/ranked.png")]
)
def test_a_full_disk_is_told_in_a_line(folder, monkeypatch, after, path):
    fill_disk(monkeypatch, after)
    told = outcome(folder, ["stages.evaluate"])
    assert told == f"[Errno 28] No space left on device: '{path}'"
    assert len(outputs(folder)) == after


def test_a_file_in_place_of_a_folder_is_told_in_a_line(folder):
    Path("plots").touch()
    told = outcome(folder, ["stages.evaluate"])
    assert told == "[Errno 17] File exists: 'plots'"


def test_a_lack_of_memory_is_told_in_a_line(folder, monkeypatch):
    def refuse(*_):
        raise RoomError("memory: needs 9.0 GB, got 1.0 GB")

    monkeypatch.setattr("crosscam.rank.evaluation.evaluate", refuse)
    assert outcome(folder, ["stages.evaluate"]) == "memory: needs 9.0 GB, got 1.0 GB"


@pytest.mark.parametrize("name", ["camera_pairs", "pseudo_labels"])
def test_templates_are_filled_with_what_is_there(folder, name):
    evaluate.main()
    records = written(f"plots/{name}.json")
    entries = pipeline()["evaluate"]["plots"]
    options = {k: v for e in entries if isinstance(e, dict) for k, v in e.items()}
    plot = options[f"plots/{name}.json"]
    assert plot["template"] == name
    options = {k: v for k, v in plot.items() if k not in {"cache", "template"}}
    renderer = VegaRenderer(
        [{"rev": "workspace", **record} for record in records],
        name,
        template=name,
        template_dir=str(REPOSITORY / ".dvc/plots"),
        **options,
    )
    filled = json.dumps(renderer.get_filled_template())
    assert "<DVC_METRIC" not in filled
    fields = {*re.findall('"field": "([^"]*)"', filled)} - {"rev", "measure", "value"}
    folded = {"ari", "nmi", "purity"} if name == "pseudo_labels" else set()
    assert plot["x"] in fields
    assert fields | folded <= records[0].keys()
    assert all(f'"{field}"' in filled for field in folded)
