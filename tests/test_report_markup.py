from __future__ import annotations

import base64
import html.parser
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crosscam.report.markup import Markup, figure, joined, png_image, table, tag


class Text(html.parser.HTMLParser):
    """Collects what a browser would show, and the elements."""

    def __init__(self, page):
        super().__init__()
        self.text, self.tags, self.attributes = "", [], {}
        self.feed(page)
        self.close()

    def handle_starttag(self, name, pairs):
        self.tags.append(name)
        self.attributes |= dict(pairs)

    def handle_data(self, data):
        self.text += data


def test_text_is_escaped_and_markup_is_not():
    assert tag("p", "1 < 2 & 3") == "<p>1 &lt; 2 &amp; 3</p>"
    assert tag("p", tag("b", "<")) == "<p><b>&lt;</b></p>"
    assert joined(["<", Markup("<br>")]) == "&lt;<br>"
    assert isinstance(joined([]), Markup)


def test_attributes_are_escaped_and_named_as_in_html():
    made = tag("a", "x", class_="c", aria_label='"<')
    assert made == '<a class="c" aria-label="&quot;&lt;">x</a>'
    assert tag("img", src="s") == '<img src="s">'


@given(st.text(), st.text())
def test_any_text_is_shown_as_it_is_and_makes_no_element(child, attribute):
    # HTML has no such characters: parsers and browsers put others in their place.
    for control in "\r\0":
        child, attribute = child.replace(control, ""), attribute.replace(control, "")
    read = Text(tag("p", child, title=attribute))
    assert read.text == child
    assert read.tags == ["p"]
    assert read.attributes == {"title": attribute}


def test_a_table_has_a_head_for_each_column_and_row_in_a_box_of_its_own():
    made = table(("a", "b"), [("x", "1"), ("<y>", "2")], "Things", "wide")
    assert made.startswith('<div class="scroll" tabindex="0" role="region"')
    assert made.count('scope="col"') == made.count('scope="row"') == 2
    assert '<th scope="row">&lt;y&gt;</th><td>2</td>' in made
    assert 'aria-label="Things"' in made
    assert 'class="wide"' in made


def test_a_figure_has_its_caption_below():
    assert figure(tag("img", src="s"), "1 < 2", "c") == (
        '<figure class="c"><img src="s"><figcaption>1 &lt; 2</figcaption></figure>'
    )


def test_a_picture_is_within_the_page_and_says_its_size():
    buffer = io.BytesIO()
    Image.new("RGB", (7, 300)).save(buffer, "PNG")
    read = Text(png_image(buffer.getvalue(), "a <picture>"))
    assert read.attributes["width"] == "7"
    assert read.attributes["height"] == "300"
    assert read.attributes["alt"] == "a <picture>"
    start, data = read.attributes["src"].split(",")
    assert start == "data:image/png;base64"
    assert base64.b64decode(data) == buffer.getvalue()


def test_another_kind_of_picture_is_refused():
    with pytest.raises(ValueError, match=r"must be a PNG, got b'GIF89a'"):
        png_image(b"GIF89a", "")
