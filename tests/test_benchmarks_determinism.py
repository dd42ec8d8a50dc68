"""The tables of docs/determinism.md are those of the results, and keep its word."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.determinism import DOCUMENT, RESULTS, distances, equality, with_tables
from benchmarks.moved import relabelled
from benchmarks.variations import EQUAL, OTHER


def test_the_document_holds_the_tables_of_the_committed_results() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert with_tables(text, json.loads(RESULTS.read_text())) == text


def test_what_must_not_matter_did_not() -> None:
    results = json.loads(RESULTS.read_text())["smoke"]
    assert EQUAL.keys() | OTHER.keys() == results.keys()
    assert [name for name in EQUAL if results[name]["differ"]] == []


def test_the_same_network_does_as_well_elsewhere() -> None:
    """The tolerances that the document states."""
    results = json.loads(RESULTS.read_text())
    for recipe in results.keys() - {"with"}:
        for name in OTHER.keys() & results[recipe].keys():
            assert results[recipe][name]["features_of_the_same_network"] <= 1e-5
            assert abs(results[recipe][name]["mAP_of_the_same_network"]) <= 1e-4


@pytest.mark.parametrize(
    ("other", "moved"),
    [
        ([0, 0, 1, 1, 2], 0.0),
        ([5, 5, 3, 3, -1], 0.0),  # other numbers
        ([0, 0, 0, 1, 2], 0.2),  # one image went over
        ([0, 0, 0, 0, 0], 0.6),  # all in one: two stay
        ([0, 1, 2, 3, 4], 0.4),  # all alone: three stay
    ],
)
def test_images_in_another_cluster_by_hand(other: list[int], moved: float) -> None:
    one = np.array([0, 0, 1, 1, 2])
    assert relabelled(one, np.array(other)) == pytest.approx(moved)
    assert relabelled(np.array(other), one) == pytest.approx(moved)


def test_cells() -> None:
    result = {
        "files": 3,
        "differ": ["data/pseudo/inter.npz", "metrics/evaluate.json"],
        "mAP": -0.0123,
        "labels": 0.2,
        "time": 1.2,
        "features_of_the_same_network": 1.2e-7,
        "mAP_of_the_same_network": 0.0,
    }
    assert distances(result) == ["1e-07", "+0.00", "20.0 %", "-1.23", "× 1.20"]
    assert distances(result | {"differ": ["a"]})[2:4] == ["=", "="]
    alike = result | {"features_of_the_same_network": 0.0}
    assert distances(alike)[:2] == ["=", "="]
    assert equality(result | {"differ": ["a", "b"]}) == "**differ**: a, b"
    assert equality(result | {"differ": []}) == "3 of 3 equal"
