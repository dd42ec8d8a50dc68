"""The report in a real browser: on a laptop, on a phone, on paper."""

from __future__ import annotations

import re

import pytest

from tests.browser.chromium import Page

LAPTOP, PHONE = 1280, 390
PAPER = 688  # pixels: A4 less the page's margins, at 96 dpi
WIDTHS = pytest.mark.parametrize("width", [LAPTOP, PHONE])

# Elements that stand out of the window and are in no box that moves them.
STANDING_OUT = """
const wide = (e) => e.getBoundingClientRect().right > innerWidth + 1;
return [...document.body.querySelectorAll("*")]
  .filter((e) => wide(e) && !e.parentElement.closest(".scroll"))
  .map((e) => e.outerHTML.slice(0, 80));
"""

# Texts with the contrast to what is behind them, by WCAG 2.1, where it is below 4.5.
FAINT = """
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const light = (colour) => {
  const [r, g, b] = numbers(colour).map((part) => {
    const p = part / 255;
    return p <= 0.04045 ? p / 12.92 : ((p + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const ground = getComputedStyle(e).backgroundColor;
    if (numbers(ground)[3] !== 0) return ground;
  }
  return "rgb(255, 255, 255)";
};
const faint = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const e = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim()) continue;
  const style = getComputedStyle(e);
  const colour = e.ownerSVGElement ? style.fill : style.color;
  const [low, high] = [light(colour), light(behind(e))].sort((a, b) => a - b);
  const contrast = (high + 0.05) / (low + 0.05);
  if (contrast < 4.5) faint.push(`${contrast.toFixed(2)}: ${walker.currentNode.data}`);
}
return faint;
"""


@WIDTHS
def test_it_has_no_error_and_every_picture(browser, report, width):
    page = Page(browser, report, width)
    assert page.broken_images() == []
    assert page.ask("return document.images.length") == 4
    assert page.ask("return document.querySelectorAll('figure > svg').length") == 7
    assert page.errors() == []


@WIDTHS
def test_nothing_is_wider_than_the_window(browser, report, width):
    page = Page(browser, report, width)
    assert page.overflow() == 0
    assert page.ask(STANDING_OUT) == []


@WIDTHS
def test_wide_tables_move_in_their_box(browser, report, width):
    page = Page(browser, report, width)
    boxes = page.ask(
        "return [...document.querySelectorAll('.scroll')]"
        ".map((b) => [b.tabIndex, b.clientWidth, b.scrollWidth])"
    )
    assert all(tab == 0 for tab, _, _ in boxes)
    assert any(inner > outer for _, outer, inner in boxes) == (width == PHONE)
    page.ask("document.querySelector('.files').parentElement.scrollLeft = 60")
    moved = "return document.querySelector('.files').parentElement.scrollLeft"
    assert page.ask(moved) == (60 if width == PHONE else 0)


@WIDTHS
def test_headings_and_their_links(browser, report, width):
    page = Page(browser, report, width)
    first, *rest = page.headings()
    assert first == "Unsupervised person re-identification: a run"
    links = page.ask(
        "return [...document.querySelectorAll('nav a')]"
        ".map((a) => [a.textContent, document.querySelector(a.hash)?.textContent])"
    )
    assert links == [[heading, heading] for heading in rest]
    assert len(rest) == 9


@WIDTHS
def test_all_text_can_be_read(browser, report, width):
    page = Page(browser, report, width)
    assert page.ask(FAINT) == []
    small = page.ask(
        "return [...document.querySelectorAll('svg text')]"
        ".map((t) => t.getBoundingClientRect().height)"
    )
    assert min(small) > 9.5  # pixels, of the line


def test_on_paper_nothing_is_cut_off(browser, report):
    page = Page(browser, report, PAPER)
    page.print_layout()
    assert page.overflow() == 0
    assert page.ask(STANDING_OUT.replace(".scroll", ".none")) == []
    assert page.ask(
        "return getComputedStyle(document.querySelector('nav')).display"
    ) == ("none")


def test_printed_it_has_some_pages_with_text_and_all_pictures(browser, report):
    """Counted in the PDF: Chromium compresses contents, and no other objects."""
    pdf = Page(browser, report, PAPER).printed()
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    pages = re.findall(rb"/Type\s*/Page\b", pdf)
    assert 3 <= len(pages) <= 40
    assert len(re.findall(rb"/Contents\b", pdf)) >= len(pages)
    assert re.search(rb"/Type\s*/Font\b", pdf)
    assert len(re.findall(rb"/Subtype\s*/Image\b", pdf)) >= 4


def test_it_says_what_the_run_has(browser, report, clone):
    page = Page(browser, report, LAPTOP)
    text = page.ask("return document.body.innerText")
    assert clone.run("git", "rev-parse", "HEAD").strip() in text
    assert "clean, as committed" in text
    for md5 in clone.hashes().values():
        assert md5 in text
    for path in ("params.yaml", "recipes/default.yaml"):
        keys = re.findall(r"^  (\w+):", (clone.folder / path).read_text(), re.MULTILINE)
        assert [key for key in keys if key not in text] == []
