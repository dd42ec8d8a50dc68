from __future__ import annotations

import pytest

from crosscam.report.numbers import count, interval, percent, size, value


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_fractions_are_percent():
    assert plain(percent(0.536228)) == "53.6 %"
    assert plain(percent(1.0)) == "100.0 %"
    assert plain(interval(0.503344, 0.570183)) == "[50.3, 57.0]"


@pytest.mark.parametrize(
    ("num_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (1_000_000, "1.0 MB"),
        (5_375_591, "5.4 MB"),
        (2_345_000_000, "2345.0 MB"),
    ],
)
def test_sizes(num_bytes, text):
    assert plain(size(num_bytes)) == text


def test_counts_have_commas():
    assert count(12_936) == "12,936"
    assert count(0) == "0"


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (True, "true"),
        (0.0005, "0.0005"),
        (1e-05, "1e-05"),
        ("none", "none"),
        (None, "null"),
        ([64, 32], "[64, 32]"),
        ([0.0, True], "[0.0, true]"),
        ({}, "{}"),
    ],
)
def test_parameters_look_as_in_the_file(parameter, text):
    assert value(parameter) == text
