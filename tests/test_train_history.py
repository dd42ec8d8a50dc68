from __future__ import annotations

import numpy as np
import pytest

from crosscam.train.history import history, summary
from crosscam.train.optimise import Epoch
from crosscam.train.progress import Round


def done(number, labels, heads, losses):
    epochs = [Epoch(loss, loss / 100, 8, 3, 99.0) for loss in losses]
    return Round(number, np.array(labels), sum(heads.values()), {}, epochs)


ROUNDS = [
    ("inter", done(1, [0, 1, -1, 1], {-1: 2}, [4.0])),
    ("intra", done(2, [0, -1, 0, -1], {0: 1, 3: 2}, [3.0, 2.0])),
    ("inter", done(2, [0, 1, 2, 2], {-1: 3}, [1.0])),
]


def test_one_record_per_epoch():
    records = history(ROUNDS)
    assert [
        (
            r["epoch"],
            r["phase"],
            r["round"],
            r["loss"],
            r["num_clusters"],
            r["outliers"],
        )
        for r in records
    ] == [
        (1, "inter", 1, 4.0, 2, 0.25),
        (2, "intra", 2, 3.0, 3, 0.5),
        (3, "intra", 2, 2.0, 3, 0.5),
        (4, "inter", 2, 1.0, 3, 0.0),
    ]
    assert [record["lr"] for record in records] == [0.04, 0.03, 0.02, 0.01]
    assert {record["num_images"] for record in records} == {8}


def test_records_hold_no_time():
    assert not any("second" in key for record in history(ROUNDS) for key in record)


def test_no_rounds():
    assert history([]) == []


def test_a_round_without_epochs_has_no_record_and_no_loss():
    made = done(2, [0, 1, -1, 1], {0: 1, 3: 1}, [])
    rounds = [ROUNDS[0], ("intra", made), ROUNDS[2]]
    assert [(r["epoch"], r["phase"], r["round"]) for r in history(rounds)] == [
        (1, "inter", 1),
        (2, "inter", 2),
    ]
    assert summary([ROUNDS[1][1], made]) == {
        "loss": None, "steps": 6, "num_clusters": 2, "outliers": 0.25
    }  # fmt: skip


def test_summary_is_of_the_last_round():
    assert summary([ROUNDS[0][1], ROUNDS[1][1]]) == {
        "loss": 2.0,
        "steps": 9,
        "num_clusters": 3,
        "outliers": pytest.approx(0.5),
    }
