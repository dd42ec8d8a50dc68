"""Recompute one query of the current run by hand, and write it into docs/metrics.md.

Run ``python -m benchmarks.by_hand`` after ``dvc repro``. The query is the one of median
AP among those whose ranking fits on a page, or the one of the shortest ranking. What is
written is worked out from the features with nothing of crosscam/rank, then held against
its numbers.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd

from crosscam.files import read_npz, write_bytes
from crosscam.rank.feature_set import feature_set
from crosscam.rank.match import match_features
from crosscam.rank.score import Scores, score

DOC = Path("docs/metrics.md")
BEGIN, END = "<!-- by_hand: begin -->\n", "<!-- by_hand: end -->"
LONGEST = 20  # images down to the last true match
FEWEST = 3  # true matches, so that there is something to add up


def main() -> None:
    """Write the section."""
    query = pd.read_csv("data/split/query.csv")
    gallery = pd.read_csv("data/split/gallery.csv")
    features = read_npz(Path("data/features.npz"))
    metrics = json.loads(Path("metrics/evaluate.json").read_text("utf-8"))
    scores = code_scores(features, query, gallery)
    place = chosen(scores, query, gallery)
    row = int(scores.group[place])
    cosines = features["gallery"].astype(float) @ features["query"][row].astype(float)
    table = ranking(gallery.assign(distance=1 - cosines), query.iloc[row])
    ranks = table.index[table["right"]].tolist()
    lines = [
        f"Row {row} (from 0) of `data/split/query.csv`: {names(query.iloc[row])}.",
        f"This run has mAP {metrics['mAP']:.6f}.",
        "",
        *ranking_lines(table.loc[: ranks[-1]]),
        "",
        *score_lines(ranks, [float(column[place]) for column in scores[1:]]),
    ]
    write_bytes(DOC, with_section(DOC.read_text("utf-8"), lines).encode())


def with_section(text: str, lines: list[str]) -> str:
    """Return the document with these lines between its marks."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + "".join(f"{line}\n" for line in lines) + END + after


def code_scores(
    features: dict[str, np.ndarray], query: pd.DataFrame, gallery: pd.DataFrame
) -> Scores:
    """Return what the package says."""
    matches = match_features(
        feature_set(features["query"], query),
        feature_set(features["gallery"], gallery),
        chunk_size=512,
    )
    return score(matches.query, matches.wrong)


def chosen(scores: Scores, query: pd.DataFrame, gallery: pd.DataFrame) -> int:
    """Return the place in `scores` of the query to show."""
    person = query.iloc[scores.group]
    rights = [
        int(((gallery["pid"] == pid) & (gallery["camid"] != camid)).sum())
        for pid, camid in zip(person["pid"], person["camid"], strict=True)
    ]
    num_matches = np.array(rights)
    last = np.rint(num_matches / scores.inp)
    last[num_matches < min(FEWEST, num_matches.max())] = np.inf
    short = np.flatnonzero(last <= max(LONGEST, last.min()))
    return int(short[np.argsort(scores.ap[short], kind="stable")[len(short) // 2]])


def ranking(gallery: pd.DataFrame, person: pd.Series) -> pd.DataFrame:
    """Return the valid gallery images, nearest first, numbered from 1."""
    same = gallery["pid"] == person["pid"]
    own = gallery["camid"] == person["camid"]
    table = gallery.assign(right=same)[(gallery["pid"] != -1) & ~(same & own)]
    table = table.sort_values(["distance", "right"], kind="stable")
    return table.set_axis(range(1, len(table) + 1))


def names(person: pd.Series) -> str:
    """Return identity and camera as file names print them."""
    return f"identity {person['pid']:04d}, camera {person['camid'] + 1}"


def ranking_lines(table: pd.DataFrame) -> list[str]:
    """Return the ranking as a table."""
    lines = ["| rank | identity | camera | distance | right | precision |"]
    lines.append("|---:|---:|---:|---:|:---:|---:|")
    found = 0
    for rank, image in table.iterrows():
        found += image["right"]
        cells = [
            rank,
            f"{image['pid']:04d}",
            image["camid"] + 1,
            f"{image['distance']:.6f}",
            "yes" if image["right"] else "",
            f"{found}/{rank}" if image["right"] else "",
        ]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def score_lines(ranks: list[int], code: list[float]) -> list[str]:
    """Return the arithmetic beside what the code says: AP, trapezoid, INP, first.

    Parameters
    ----------
    ranks
        Of the true matches, from 1.
    code
        The four scores by crosscam/rank.

    Raises
    ------
    SystemExit
        If they are other than those by hand.
    """
    num = len(ranks)
    after = [Fraction(k, rank) for k, rank in enumerate(ranks, start=1)]
    before = [
        Fraction(k, rank - 1) if rank > 1 else Fraction(1)
        for k, rank in enumerate(ranks)
    ]
    ap = sum(after, Fraction(0)) / num
    trapezoid = sum(map(sum, zip(before, after, strict=True))) / 2 / num
    steps = " + ".join(f"{k}/{rank}" for k, rank in enumerate(ranks, start=1))
    halves = " + ".join(
        f"({f'{k - 1}/{rank - 1}' if rank > 1 else '1'} + {k}/{rank})/2"
        for k, rank in enumerate(ranks, start=1)
    )
    rows = [
        ("AP", f"({steps}) / {num}", ap),
        ("AP, trapezoid", f"({halves}) / {num}", trapezoid),
        ("INP", f"{num} / {ranks[-1]}", Fraction(num, ranks[-1])),
        ("first match", f"{ranks[0]}", Fraction(ranks[0])),
    ]
    lines = ["| | by hand | | code |", "|---|---|---:|---:|"]
    for (name, terms, value), found in zip(rows, code, strict=True):
        if abs(float(value) - found) > 1e-12:
            raise SystemExit(
                f"{name}: by hand {float(value)!r}, the code says {found!r}"
            )
        lines.append(f"| {name} | {terms} | {float(value):.6g} | {found:.6g} |")
    return lines


if __name__ == "__main__":
    main()
