from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from benchmarks.sparse import (
    DOCUMENT,
    RESULTS,
    STEPS,
    clustered,
    line,
    picture,
    row,
    synthetic,
    with_table,
)


def record(num_images):
    quality = {"ari": 0.98, "outliers": 0.01, "clusters": 9, "pids": 10}
    costs = {f"{name}_{unit}": 0.5 for name in STEPS for unit in ("seconds", "gb")}
    return {"images": num_images, **costs, **quality, "distances_per_image": 40.2}


def test_people_alike_and_cameras_apart():
    features, pids = synthetic(400)
    assert features.shape == (400, 256)
    assert np.linalg.norm(features, axis=1) == pytest.approx(np.ones(400), abs=1e-5)
    near = features @ features.T
    same = pids[:, None] == pids
    assert near[same].mean() > near[~same].mean() + 0.2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_every_step_is_measured():
    features, pids = synthetic(200)
    labels, found = clustered(features)
    assert labels.shape == pids.shape
    assert all(found[f"{name}_seconds"] > 0 for name in STEPS)
    assert all(0 < found[f"{name}_gb"] <= found["all_gb"] for name in STEPS)


def test_what_is_told():
    told = line(record(31_250))
    assert told.startswith("31,250 images: nearest neighbours 0.50 s, 0.50 GB; Jaccard")
    assert told.endswith("9 clusters of 10 people, ARI 0.980, 1.0% outliers")
    assert picture([record(1000), record(4000)]).startswith(b"\x89PNG")


def test_a_row_of_the_table():
    cells = row(record(500_000)).strip("|\n ").split(" | ")
    expected = "500,000, 0.5, 0.5, 0.5, 0.5, 0.50, 1,000, 40, 9 / 10, 0.980, 1.0%"
    assert cells == expected.split(", ")


def test_the_document_holds_the_table_of_the_committed_results():
    text = DOCUMENT.read_text("utf-8")
    assert with_table(text, json.loads(RESULTS.read_text())) == text
