"""The query of docs/metrics.md: what is printed there is there, right, and current."""

from __future__ import annotations

import json
import re
from fractions import Fraction

import pandas as pd
import pytest

from benchmarks.by_hand import (
    BEGIN,
    DOC,
    END,
    ranking,
    ranking_lines,
    score_lines,
    with_section,
)
from tests.repository import ROOT, committed

RANKS, SCORES = [2, 3, 6], [5 / 9, 77 / 180, 1 / 2, 2.0]


def section(text: str) -> list[str]:
    """Return the lines between the marks."""
    return text.partition(BEGIN)[2].partition(END)[0].splitlines()


def rows(lines: list[str], head: str) -> list[list[str]]:
    """Return the cells of the table that begins with this line, without its head."""
    start = lines.index(head) + 2
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def value_of(terms: str) -> Fraction:
    """Return the value of a sum of fractions as it is printed."""
    assert re.fullmatch(r"[\d +/()]+", terms), terms
    exact = re.sub(r"\d+", r"Fraction(\g<0>)", terms)
    return eval(exact, {"Fraction": Fraction})  # noqa: S307 (digits and + / ( ) only)


def check(lines: list[str]) -> None:
    """Check all arithmetic of a section against its own ranking."""
    ranked = rows(lines, "| rank | identity | camera | distance | right | precision |")
    person, camera = re.search(r"identity (\d+), camera (\d+)", lines[0]).groups()
    assert [int(row[0]) for row in ranked] == [*range(1, len(ranked) + 1)]
    distances = [float(row[3]) for row in ranked]
    assert distances == sorted(distances)
    for _, pid, camid, _, right, _ in ranked:
        assert (right == "yes") == (pid == person)
        assert right != "yes" or camid != camera
    ranks = [int(row[0]) for row in ranked if row[4] == "yes"]
    assert ranks[-1] == len(ranked), "the ranking ends with the last true match"
    hits = list(enumerate(ranks, start=1))
    assert [row[5] for row in ranked if row[5]] == [f"{k}/{r}" for k, r in hits]
    num = len(ranks)
    just_before = [Fraction(k - 1, r - 1) if r > 1 else Fraction(1) for k, r in hits]
    at = [Fraction(k, r) for k, r in hits]
    expected = {
        "AP": sum(at) / num,
        "AP, trapezoid": sum((a + b) / 2 for a, b in zip(just_before, at, strict=True))
        / num,
        "INP": Fraction(num, ranks[-1]),
        "first match": Fraction(ranks[0]),
    }
    scores = rows(lines, "| | by hand | | code |")
    assert [row[0] for row in scores] == [*expected]
    for name, terms, by_hand, code in scores:
        assert value_of(terms) == expected[name]
        assert by_hand == code == f"{float(expected[name]):.6g}"


def example() -> list[str]:
    """Return a section about the query with ranks 2, 3, 6 of docs/metrics.md."""
    table = pd.DataFrame({
        "pid": [9, 4, 4, 0, 8, 4, -1, 4],
        "camid": [0, 1, 2, 1, 0, 1, 0, 0],
        "distance": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.0, 0.0],
    })
    ranked = ranking(table, pd.Series({"pid": 4, "camid": 0}))
    assert ranked.index[ranked["right"]].tolist() == RANKS
    first = "Row 0 (from 0) of `data/split/query.csv`: identity 0004, camera 1."
    return [first, "", *ranking_lines(ranked), "", *score_lines(RANKS, SCORES)]


def test_a_query_by_hand() -> None:
    check(example())
    halves = "(0/1 + 1/2)/2 + (1/2 + 2/3)/2 + (2/5 + 3/6)/2"
    assert example()[-4:] == [
        "| AP | (1/2 + 2/3 + 3/6) / 3 | 0.555556 | 0.555556 |",
        f"| AP, trapezoid | ({halves}) / 3 | 0.427778 | 0.427778 |",
        "| INP | 3 / 6 | 0.5 | 0.5 |",
        "| first match | 2 | 2 | 2 |",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("| 2 | 0004 | 2 |", "| 2 | 0004 | 1 |"),
        ("0.200000", "0.900000"),
        ("2/3 |", "2/4 |"),
        ("(1/2 + 2/3 + 3/6)", "(1/2 + 2/3 + 4/6)"),
        ("0.555556 |", "0.555557 |"),
        ("INP | 3", "INP | 2"),
    ],
)
def test_a_wrong_figure_is_found(old: str, new: str) -> None:
    text = "\n".join(example())
    assert old in text
    with pytest.raises(AssertionError):
        check(text.replace(old, new, 1).split("\n"))


@pytest.mark.parametrize("place", range(4))
def test_other_scores_of_the_code_end_the_program(place: int) -> None:
    wrong = [score + 1e-9 * (i == place) for i, score in enumerate(SCORES)]
    with pytest.raises(SystemExit, match=r"by hand .*, the code says"):
        score_lines(RANKS, wrong)


def test_only_the_text_between_the_marks_is_replaced() -> None:
    text = f"a\n{BEGIN}old\n{END}\nb\n"
    new = with_section(text, ["one", "two"])
    assert new == f"a\n{BEGIN}one\ntwo\n{END}\nb\n"
    assert with_section(new, ["one", "two"]) == new


def test_the_committed_section_is_right() -> None:
    lines = section((ROOT / DOC).read_text("utf-8"))
    assert lines, f"{DOC}: run python -m benchmarks.by_hand after the final run"
    check(lines)


def test_the_committed_section_is_of_the_committed_run() -> None:
    text = "\n".join(section(committed(str(DOC)).decode()))
    metrics = json.loads(committed("metrics/evaluate.json"))
    row = re.search(r"Row (\d+) \(from 0\) of", text)
    assert row, f"{DOC}: run python -m benchmarks.by_hand after the final run"
    assert f"This run has mAP {metrics['mAP']:.6f}." in text
    num_query = metrics["num_queries"] + metrics["queries_without_match"]
    assert int(row[1]) < num_query
