"""The model card's numbers are those of the committed run."""

from __future__ import annotations

import json

from experiments.card import table, with_table
from tests.repository import ROOT, committed


def test_the_card_holds_the_committed_numbers() -> None:
    metrics, split = (
        json.loads(committed(f"metrics/{name}.json")) for name in ("evaluate", "split")
    )
    text = (ROOT / "docs/model-card.md").read_text("utf-8")
    assert with_table(text, metrics, split) == text, "python -m experiments.card"


def test_a_table_by_hand() -> None:
    names = ("mAP", "rank1", "mAP_trapezoid", "mINP", "rank5")
    metrics = dict.fromkeys(names, 0.25) | {"mAP_low": 0.2, "mAP_high": 0.3}
    metrics |= {"rank1_low": 0.1, "rank1_high": 0.4}
    counts = {"images": 1200, "cameras": 5, "identities": 60}
    found = table(metrics, dict.fromkeys(("train", "query", "gallery"), counts))
    assert "| mAP | 25.0 | 20.0 to 30.0 |\n| rank-1 | 25.0 | 10.0 to 40.0 |" in found
    assert "Trained on 1,200 images of 5 cameras; 1,200 queries of 60 other" in found
