from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crosscam.rank.diagnosis import pseudo_label_quality, training_truth
from crosscam.rank.feature_set import RankingError

INTRA = {"labels": np.array([[0, 0, 0, 1, 0]], np.int32)}
ACROSS = np.array([[0, 0, 1, 1, 0], [0, 0, 0, 1, -1]], np.int32)
CAMIDS = [0, 1, 0, 1, 0]


def quality(pids: list[int], *, between: bool = True) -> list[dict[str, float]]:
    inter = {"labels": ACROSS} | ({"intra_labels": INTRA["labels"]} if between else {})
    truth = pd.DataFrame({"pid": pids, "camid": CAMIDS})
    return pseudo_label_quality(INTRA, inter, truth)


def test_rounds_by_hand() -> None:
    steps = quality([7, 7, 9, 9, 7])
    assert [step["phase"] for step in steps] == ["intra", "inter", "intra", "inter"]
    first, second = steps[1], steps[3]
    assert (first["ari"], first["purity"], first["outliers"]) == (1, 1, 0)
    # 7, 7 and 9 lie together, 9 alone, the last 7 in no cluster
    assert (second["purity"], second["outliers"]) == pytest.approx((3 / 4, 1 / 5))


def test_phases_in_between_may_be_missing() -> None:
    steps = quality([7, 7, 9, 9, 7], between=False)
    assert [step["phase"] for step in steps] == ["intra", "inter", "inter"]


@pytest.mark.parametrize("nobody", [0, -1])
def test_images_of_no_identity_are_left_out(nobody: int) -> None:
    first, second = quality([7, 7, nobody, 9, 7])[1::2]
    assert (first["ari"], first["num_clusters"]) == (1, 2)
    assert second["outliers"] == pytest.approx(1 / 4)


@pytest.mark.parametrize("pids", [[0] * 5, [-1] * 5, [0, -1, 0, -1, 0]])
def test_without_identities_nothing_is_measured(pids: list[int]) -> None:
    for step in quality(pids):
        assert step["outliers"] == 1
        names = ("ari", "nmi", "purity", "num_clusters", "largest")
        assert [step[name] for name in names] == [0] * 5


def test_truth_joins_the_training_images() -> None:
    train, truth = pd.DataFrame({"camid": [0, 1]}), pd.DataFrame({"pid": [5, 6]})
    assert training_truth(train, truth).to_numpy().tolist() == [[0, 5], [1, 6]]
    with pytest.raises(
        RankingError, match="train and truth: must have equally many ro"
    ):
        training_truth(train, truth.iloc[:1])


def test_labels_must_be_one_per_training_image() -> None:
    with pytest.raises(
        RankingError,
        match=r"intra labels: must be one per .* of 4, got .*\(1, 5\): run",
    ):
        pseudo_label_quality(
            INTRA, INTRA, pd.DataFrame({"pid": [7] * 4, "camid": [0] * 4})
        )
