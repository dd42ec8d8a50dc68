from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.figure import Figure

from crosscam.report.svg import svg, svg_style

SVG = "{http://www.w3.org/2000/svg}"


def drawing(name="one", title="a < b"):
    with svg_style():
        figure = Figure(figsize=(3, 2))
        axes = figure.subplots()
        axes.plot([0, 1], [2, 3], "o-", label="x")
        axes.set(title=title)
        axes.legend()
        return svg(figure, name, 'what "it" shows')


def test_it_is_one_element_and_text_is_text():
    root = ET.fromstring(drawing())  # noqa: S314  (our own)
    assert root.tag == f"{SVG}svg"
    assert root.attrib["aria-label"] == 'what "it" shows'
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"a < b", "x"} <= set(texts)


def test_ids_are_those_that_are_used_and_one_of_a_kind_in_the_page():
    one, two = drawing("one"), drawing("two")
    ids = [set(re.findall(r' id="([^"]+)"', text)) for text in (one, two)]
    used = set(re.findall(r"#([\w-]+)[\")]", re.sub(r"#[0-9a-f]{6};?", "", one)))
    assert ids[0]
    assert ids[0] == used
    assert not ids[0] & ids[1]


def test_nothing_is_fetched_and_no_style_leaks_into_the_page():
    text = drawing()
    assert "<style" not in text
    assert "<?xml" not in text
    assert "<metadata" not in text
    assert set(re.findall(r'xmlns[:\w]*="([^"]+)"', text)) == set(
        re.findall(r"https?://[^\"]+", text)
    )
    assert "DejaVu" not in text


def test_same_drawing_same_text_whatever_the_users_settings():
    expected = drawing()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "mine"}):
        assert drawing() == expected
    assert drawing(title="other") != expected
