"""Put the numbers of the run into docs/model-card.md, as a part of `make store`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from crosscam.experiment.tables import between_marks
from crosscam.files import write_bytes

DOCUMENT = Path("docs/model-card.md")
INTERVALS = {"mAP": "mAP", "rank1": "rank-1"}
OTHERS = {"mAP_trapezoid": "mAP (trapezoids)", "mINP": "mINP", "rank5": "rank-5"}


def main() -> None:
    """Write the table into the card."""
    metrics = json.loads(Path("metrics/evaluate.json").read_text("utf-8"))
    split = json.loads(Path("metrics/split.json").read_text("utf-8"))
    write_bytes(
        DOCUMENT, with_table(DOCUMENT.read_text("utf-8"), metrics, split).encode()
    )


def with_table(text: str, metrics: dict[str, Any], split: dict[str, Any]) -> str:
    """Return the card with these numbers between its marks."""
    return between_marks(text, "card", table(metrics, split))


def table(metrics: dict[str, Any], split: dict[str, Any]) -> str:
    """Return the metrics in percent, and on how many images they were found."""
    lines = ["| | percent | 95 % over queries |", "|---|--:|--:|"]
    for key, label in INTERVALS.items():
        low, high = (100 * metrics[f"{key}_{end}"] for end in ("low", "high"))
        lines.append(
            f"| {label} | {100 * metrics[key]:.1f} | {low:.1f} to {high:.1f} |"
        )
    lines += [f"| {label} | {100 * metrics[k]:.1f} | |" for k, label in OTHERS.items()]
    train, query, gallery = (split[name] for name in ("train", "query", "gallery"))
    about = (
        f"Trained on {train['images']:,} images of {train['cameras']} cameras; "
        f"{query['images']:,} queries of {query['identities']} other identities in a "
        f"gallery of {gallery['images']:,} images."
    )
    return "\n".join([*lines, "", about]) + "\n"


if __name__ == "__main__":
    main()
