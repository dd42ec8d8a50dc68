"""The benchmark of the hot paths: its harness, its oracles, its table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks.hot import table
from benchmarks.hot.__main__ import (
    DOCUMENT,
    NAMES,
    known,
    main,
    path_of,
    with_table,
)
from benchmarks.hot.agree import close, same_metrics, same_partition, symmetrised
from benchmarks.hot.figure import draw
from benchmarks.hot.literal import (
    first_neighbours,
    iics_reranked,
    reranked,
    spcl_jaccard,
)
from benchmarks.hot.measure import Bench, measure
from benchmarks.hot.packages import module_of
from benchmarks.hot.path import Case, Goal
from benchmarks.hot.paths import image_cache, sparse_jaccard
from benchmarks.hot.world import distances, features
from crosscam.cluster.jaccard import RerankParams, reranked_distances
from tests import oracles
from tests.hot_path import PATH

# The harness


def test_implementations_run_in_turns_in_processes_of_their_own() -> None:
    (case,) = PATH.cases
    found = measure("tests.hot_path", PATH, case, Bench(repeats=2, threads=1))
    ours, copies = found["ours"], found["peers"]["copies"]
    assert [len(ours["runs"]), len(copies["runs"])] == [2, 2]
    assert ours["same"]
    # The values have 32 MB; the copies are four of half of them, the result one more.
    assert ours["growth"] < 16
    assert copies["growth"] > 60
    assert ours["peak"] > 32
    assert copies["part"] == 0.5
    runs = [run["wall"] for run in copies["runs"]]
    assert copies["wall"] == pytest.approx(2 * np.mean(runs))
    assert found["peers"]["fails"]["error"] == "ModuleNotFoundError: no such peer"
    assert found["peers"].keys() == {"copies", "fails"}
    assert found["agreement"] == {"copies": {"text": "identical", "holds": True}}


def test_a_path_without_inputs_is_said() -> None:
    case = Case("none", ("not a number",))
    found = measure("tests.hot_path", PATH, case, Bench(repeats=1, threads=1))
    assert found["error"].startswith("TypeError: ")


def test_the_cheapest_path_runs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--only", "distance_quantile", "--repeats", "1"])
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "numpy" in line]
    assert "| quick |" in row
    assert "| identical |" in row


@pytest.mark.parametrize("name", NAMES)
def test_paths_are_whole(name: str) -> None:
    path = path_of(name)
    labels = [case.label for case in path.cases]
    assert len(set(labels)) == len(labels)
    for case in path.cases:
        assert case.goals.keys() <= path.peers.keys() | {""}
        assert len(case.values) == len(path.quick) == len(path.warm(*case.values))
    for peer in path.peers.values():
        assert {*(peer.cases or ())} <= {*labels}
    for peer, names in path.checks.items():
        assert peer in path.peers
        assert all(path.implementation(name) for name in names)


def test_what_is_not_installed_is_said() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such is not installed"):
        module_of("no_such", "module.py")
    with pytest.raises(ModuleNotFoundError, match=r"rank_cy\*\.so: it was not built"):
        module_of("numpy", "rank_cy*.so")
    assert module_of("numpy", "version.py").version == np.__version__


# The oracles


def some_features(num: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return features(rng.integers(num // 4, size=num), rng.integers(3, size=num), seed)


def some_distances(num: int, seed: int) -> np.ndarray:
    found = some_features(num, seed)
    matrix = distances(found, found)
    matrix = np.maximum(matrix, matrix.T)
    np.fill_diagonal(matrix, 0)
    return matrix


@pytest.mark.parametrize("lambda_", [0.0, 0.3])
@pytest.mark.parametrize(("k1", "k2"), [(6, 3), (9, 1)])
def test_the_steps_of_iics_are_the_published_ones(
    k1: int, k2: int, lambda_: float
) -> None:
    matrix = some_distances(30, seed=k1)
    expected = np.array(oracles.published_distances(matrix.tolist(), k1, k2, lambda_))
    exact = matrix.astype(np.float64)
    found = iics_reranked(exact, k1, k2, lambda_, np.float64)
    assert found == pytest.approx(expected, abs=1e-12)
    scaled = exact / exact.max(axis=1, keepdims=True)
    ranks = first_neighbours(exact, k1 + 1)
    some = reranked(scaled, ranks, k1, k2, lambda_, np.float64, num_rows=7)
    assert some == pytest.approx(expected[:7], abs=1e-12)
    assert abs(iics_reranked(matrix, k1, k2, lambda_) - expected).max() < 0.01


def test_ours_is_their_mean_over_both_directions() -> None:
    matrix = some_distances(60, seed=1)
    exact = iics_reranked(matrix.astype(np.float64), 8, 3, 0.3, np.float64)
    found = reranked_distances(matrix, RerankParams(k1=8, k2=3, lambda_=0.3))
    assert close({"matrix": found}, {"matrix": symmetrised(exact)}, 1e-6).holds


def test_the_steps_of_spcl_are_the_published_ones() -> None:
    k1, k2, num = 6, 3, 30
    vectors = some_features(num, seed=2).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    squared = 2 - 2 * vectors @ vectors.T
    np.fill_diagonal(squared, 0)
    weights = np.zeros((num, num))
    for i in range(num):
        members = [*oracles.expanded_set(squared.tolist(), i, k1)]
        weights[i, members] = np.exp(-squared[i, members])
    weights /= weights.sum(axis=1, keepdims=True)
    ranks = first_neighbours(squared, k1 + 1)
    mean = weights[ranks[:, :k2]].mean(axis=1)
    expected = [[1 - oracles.jaccard_similarity(a, b) for b in mean] for a in mean]
    found = spcl_jaccard(vectors, ranks, k1, k2)
    assert found == pytest.approx(np.array(expected), abs=1e-12)


def test_neighbours_are_in_order_the_image_itself_first() -> None:
    matrix = np.array([[0.0, 0.0, 0.2, 0.1], [0.0, 0.0, 0.3, 0.3]])
    assert first_neighbours(matrix, 4).tolist() == [[0, 1, 3, 2], [1, 0, 2, 3]]
    assert first_neighbours(matrix, 3, first=2).tolist() == [[2, 0, 1], [3, 0, 1]]


def test_torchvision_is_given_the_draws_that_ours_makes() -> None:
    arrays = image_cache.inputs(6, image_cache.CACHED)
    ours, peer = image_cache.ours_unerased(arrays)(), image_cache.same_draws(arrays)()
    assert image_cache.same_pixels(ours, peer, 0) == ("pixel-identical", True)
    moved = {"matrix": ours["matrix"].copy()}
    moved["matrix"].flat[7] += 1 / 255 / image_cache.STD[0]
    found = image_cache.same_pixels(moved, peer, 0)
    assert found == (f"1 of {ours['matrix'].size:,} pixel values differ", False)


# Agreement


def test_matrices_are_compared_as_far_as_the_peer_went() -> None:
    ours = {"matrix": np.array([[1.0, 2.0], [3.0, 9.0]])}
    assert close(ours, {"matrix": np.array([[1.0]])}, 0) == ("identical", True)
    other = {"matrix": np.array([[1.0, 2.5], [np.nan, 9.0]])}
    assert close(ours, other, 1) == ("max nan; 1 of 4 above 1", False)
    assert close(ours, {"matrix": np.array([[1.0, 2.5]])}, 0.5) == ("max 5.0e-01", True)


@pytest.mark.parametrize(
    ("peer", "text"),
    [
        ([5, 5, 3, -1], "same 2 clusters"),
        ([5, 5, -1, -1], "1 of 4 labels differ"),
        ([5, 3, 3, -1], "1 of 4 labels differ"),
        ([5, 5, 3, 0], "1 of 4 labels differ"),
    ],
)
def test_partitions_are_compared_by_who_is_with_whom(
    peer: list[int], text: str
) -> None:
    ours = {"labels": np.array([0, 0, 1, -1])}
    found = same_partition(ours, {"labels": np.array(peer)}, 0)
    assert found == (text, text.startswith("same"))


def test_what_is_not_stored_lies_beyond_the_limit() -> None:
    """All that is up to 0.6 is stored; what a dense matrix has beyond is not."""
    dense = np.array([[0, 0.5, 1], [0.5, 0, 1], [1, 1, 0]])
    ours = {"indptr": np.array([0, 2, 4, 5]), "indices": np.array([0, 1, 0, 1, 2])}
    ours |= {"data": np.array([0, 0.5, 0.5, 0, 0]), "limit": np.array(0.6)}
    compared = sparse_jaccard.same_entries(ours, {"matrix": dense}, 0)
    assert compared == ("identical", True)
    dense[2, 0] = 0.9
    assert sparse_jaccard.same_entries(ours, {"matrix": dense}, 0.05).holds
    dense[2, 0] = 0.5
    assert not sparse_jaccard.same_entries(ours, {"matrix": dense}, 0.05).holds
    dense[2, 0], dense[0, 1] = 1, 0.3
    assert not sparse_jaccard.same_entries(ours, {"matrix": dense}, 0.05).holds


def test_metrics_are_compared_over_the_queries_of_the_peer() -> None:
    ours = {"ap": np.array([1.0, 0.5, 0.0])}
    assert same_metrics(ours, {"ap": np.array([1.0, 0.5])}, 0).holds
    found = same_metrics(ours, {"ap": np.array([1.0, 0.25])}, 0.1)
    assert found == ("mAP 1e-01; one AP 2e-01", False)
    # In double precision no two queries may make up for each other.
    even = {"ap": np.array([0.75, 0.75])}
    assert same_metrics(ours, even, 0) == ("mAP 0e+00; one AP 2e-01", False)
    single = {"ap": np.array([0.75, 0.75], np.float32)}
    assert same_metrics(ours, single, 0).holds


# The table


def result(wall: float, **other: Any) -> dict[str, Any]:
    plain = {"label": "it", "wall": wall, "cpu": 2 * wall, "growth": 5.0, "peak": 99.0}
    return {**plain, "part": 1, "same": True, "disturbed": 0, "runs": [1, 2], **other}


AGREES = {"text": "identical", "holds": True}


def row(
    goal: Goal | None, ours: dict, peer: dict | None, agreement: Any = AGREES
) -> table.Row:
    case = Case("10", (10,), {} if goal is None else {"them": goal})
    return table.Row(PATH, case, "them", ours, peer, agreement)


@pytest.mark.parametrize(
    ("goal", "ours", "met"),
    [
        (None, {}, "–"),
        (Goal(wall=10, cpu=10), {}, "yes"),
        (Goal(wall=11), {}, "**no**: ratio"),
        (Goal(seconds=0.5, growth=5, peak=99), {}, "yes"),
        (Goal(seconds=0.4, growth=4), {}, "**no**: seconds 0.5, growth 5"),
        (Goal(wall=10), {"same": False}, "**no**: not the same every time"),
        (Goal(cpu=20), {}, "**no**: CPU"),
    ],
)
def test_a_goal_is_met_or_what_is_missed_is_said(
    goal: Goal | None, ours: dict, met: str
) -> None:
    assert table.met(row(goal, result(0.5, **ours), result(5.0))) == met


def test_nothing_is_met_by_another_result() -> None:
    differs = {"text": "max 1", "holds": False}
    found = row(Goal(wall=1), result(0.5), result(5.0), differs)
    assert table.met(found) == "**no**: agreement"


def test_marks_say_how_a_time_came_about() -> None:
    assert table.seconds(result(0.01234)) == "0.0123"
    assert table.seconds(result(1234.5, part=0.5)) == "≈ 1,234"
    assert table.seconds(result(2.0, runs=[1], disturbed=1)) == "2¹²"
    assert table.seconds({"label": "it", "error": "no"}) == "(no)"


def test_the_table_has_a_line_for_each_peer() -> None:
    failed = {"label": "fails", "error": "ended by SIGKILL"}
    part = result(5.0, part=0.5)
    cases = {
        "a": {
            "ours": result(0.5),
            "peers": {"p": part, "q": failed},
            "agreement": {"p": AGREES},
        },
        "b": {"ours": result(0.5), "peers": {}, "agreement": {}},
        "c": {"error": "no room"},
    }
    labels = tuple(Case(label, ()) for label in "abcd")
    rows = [*table.rows_of(PATH, labels, cases)]
    lines = table.table(rows).splitlines()[2:]
    assert lines == [
        "| one added | a | it | 0.5 | ≈ 5 | 10 × | 10 × | 5 / – | identical | – | – |",
        "|  |  | fails | 0.5 | (ended by SIGKILL) | – | – | 5 / – | – | – | – |",
        "|  | b | – | 0.5 | – | – | – | 5 | – | – | – |",
        "|  | c | – | (no room) | – | – | – | – | – | – | – |",
    ]
    picture = draw(rows)
    assert picture.startswith(b"\x89PNG")
    assert picture == draw(rows[:1])  # the others have no ratio
    goals = {"p": Goal(wall=20)}
    assert picture != draw([rows[0]._replace(case=replace(labels[0], goals=goals))])


def test_the_document_holds_the_table_of_the_committed_results() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert with_table(text, known()) == text


def test_a_document_with_results_says_where_they_are_from() -> None:
    about = {"date": "2030-01-02", "cpu": "Abacus", "threads": 2, "cores": 8}
    about |= {"memory_gb": 4.5, "system": "Linux", "python": "3.11"}
    about["packages"] = {"numpy": "9"}
    cases = {"12,936": {"ours": result(1.0), "peers": {}, "agreement": {}}}
    results = {"linkage": {"machine": about, "cases": cases}}
    text = with_table("<!-- hot -->\n<!-- /hot -->\n", results)
    assert "Abacus, 2 of 8 cores, 4.5 GB, Linux, Python 3.11, numpy 9." in text
    assert "| average linkage, 800 clusters | 12,936 | – | 1 |" in text
