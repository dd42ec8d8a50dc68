"""Recompute one query of the current run by hand, as a section for docs/metrics.md.

Run ``python -m benchmarks.by_hand`` after ``dvc repro``. The query is the one of median
AP among those whose ranking fits on a page, or the one of the shortest ranking. What is
printed is worked out from the features with nothing of crosscam/rank, then held against
its numbers.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd

from crosscam.files import read_npz
from crosscam.rank.feature_set import feature_set
from crosscam.rank.match import match_features
from crosscam.rank.score import Scores, score

LONGEST = 20  # images down to the last true match
FEWEST = 3  # true matches, so that there is something to add up


def main() -> None:
    """Print the section."""
    query = pd.read_csv("data/split/query.csv")
    gallery = pd.read_csv("data/split/gallery.csv")
    features = read_npz(Path("data/features.npz"))
    scores = code_scores(features, query, gallery)
    place = chosen(scores, query, gallery)
    row = int(scores.group[place])
    cosines = features["gallery"].astype(float) @ features["query"][row].astype(float)
    table = ranking(gallery.assign(distance=1 - cosines), query.iloc[row])
    ranks = table.index[table["right"]].tolist()
    print(f"Query {row} of `data/split/query.csv`: {names(query.iloc[row])}.\n")
    print_ranking(table.loc[: ranks[-1]])
    print_scores(ranks, [column[place] for column in scores[1:]])


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


def print_ranking(table: pd.DataFrame) -> None:
    """Print the ranking as a table."""
    print("| rank | identity | camera | distance | right | precision |")
    print("|---:|---:|---:|---:|:---:|---:|")
    found = 0
    for rank, image in table.iterrows():
        found += image["right"]
        precision = f"{found}/{rank}" if image["right"] else ""
        cells = [
            rank,
            f"{image['pid']:04d}",
            image["camid"] + 1,
            f"{image['distance']:.6f}",
            "yes" if image["right"] else "",
            precision,
        ]
        print(f"| {' | '.join(map(str, cells))} |")


def print_scores(ranks: list[int], code: list[float]) -> None:
    """Print the arithmetic beside what the code says."""
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
    lines = [
        ("AP", f"({steps}) / {num}", ap),
        ("AP, trapezoid", f"({halves}) / {num}", trapezoid),
        ("INP", f"{num} / {ranks[-1]}", Fraction(num, ranks[-1])),
        ("first match", "rank", Fraction(ranks[0])),
    ]
    print("\n| | by hand | | code |\n|---|---|---:|---:|")
    for (name, sum_, value), found in zip(lines, code, strict=True):
        if abs(float(value) - found) > 1e-12:
            raise SystemExit(
                f"{name}: by hand {float(value)!r}, the code says {found!r}"
            )
        print(f"| {name} | {sum_} | {float(value):.6g} | {found:.6g} |")


if __name__ == "__main__":
    main()
