from __future__ import annotations

import re

import pytest

from crosscam.report.charts import (
    cmc_chart,
    loss_chart,
    quality_chart,
    rate_chart,
    round_chart,
    run_epochs,
)
from tests.small_run import records

RUN = records()
EPOCHS = run_epochs(RUN["intra"], RUN["inter"])
ROUNDS = RUN["pseudo_labels"]
NAVY, ORANGE = "#16365c", "#d9702c"


def dots(chart, colour):
    """Return how many markers of a colour there are, those of the legend included."""
    return len(re.findall(rf"<use [^>]*fill: {colour}", chart))


def texts(chart):
    return re.findall(r"<text[^>]*>([^<]*)</text>", chart)


def test_epochs_count_on_over_both_stages():
    assert [record["epoch"] for record in EPOCHS] == [1, 2, 3, 4]
    assert [record["phase"] for record in EPOCHS] == ["intra"] * 2 + ["inter"] * 2
    assert RUN["inter"][0]["epoch"] == 1  # the records themselves are as they were
    assert run_epochs([], []) == []


@pytest.mark.parametrize(("phase", "colour"), [("intra", ORANGE), ("inter", NAVY)])
def test_a_dot_per_epoch_of_the_phase(phase, colour):
    chart = loss_chart(EPOCHS, phase)
    assert dots(chart, colour) == 2
    assert {"loss", "epoch of the run"} <= set(texts(chart))


def test_phases_have_colours_of_their_own():
    for chart in (rate_chart(EPOCHS), round_chart(ROUNDS, "outliers", "Outliers")):
        assert dots(chart, NAVY) == dots(chart, ORANGE) == 3
        assert {"within cameras", "across cameras"} <= set(texts(chart))


def test_fractions_are_percent_and_counts_are_not():
    assert "12.5%" not in texts(round_chart(ROUNDS, "num_clusters", "Clusters"))
    assert any("%" in text for text in texts(round_chart(ROUNDS, "outliers", "O")))


def test_without_outliers_the_line_lies_at_zero():
    none = [{**record, "outliers": 0.0} for record in ROUNDS]
    assert "0%" in "".join(texts(round_chart(none, "outliers", "Outliers")))


def test_three_measures_of_four_rounds():
    chart = quality_chart(ROUNDS)
    assert dots(chart, NAVY) == 4 + 1
    assert {"ARI", "NMI", "purity"} <= set(texts(chart))


def test_the_curve_has_its_known_ranks_and_an_interval():
    cmc = [{"rank": rank, "cmc": 0.5 + 0.02 * rank} for rank in range(1, 13)]
    metrics = {"rank1": 0.52, "rank1_low": 0.4, "rank1_high": 0.6}
    shown = [
        t.replace("\N{NO-BREAK SPACE}", " ") for t in texts(cmc_chart(cmc, metrics))
    ]
    assert [text for text in shown if "." in text] == ["52.0 %", "60.0 %", "70.0 %"]
    wider = {**metrics, "rank1_high": 0.65}
    assert cmc_chart(cmc, metrics) != cmc_chart(cmc, wider)


def test_a_run_without_an_epoch_or_round_has_empty_charts():
    for chart in (
        loss_chart([], "intra"),
        rate_chart([]),
        round_chart([], "outliers", "Outliers"),
        quality_chart([]),
    ):
        assert chart.startswith("<svg")
