"""What `dvc plots diff` writes, in a real browser without a network."""

from __future__ import annotations

import json

import dvc_render.html
import pytest
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.chromium import Page
from tests.test_pipeline import MAKE

LAPTOP, PHONE = 1280, 390
WIDTHS = pytest.mark.parametrize("width", [LAPTOP, PHONE])
REVISIONS = ["main", "other"]
LINES = ("plots_intra_json", "plots_inter_json", "plots_cmc_json")
PANELS = ("plots_camera_pairs_json", "plots_pseudo_labels_json")
NUM_PLOTS = len(LINES + PANELS)
CHANGED = {"cmc": "cmc", "camera_pairs": "mAP", "pseudo_labels": "ari"}

DRAWN = "return document.querySelectorAll('.plot svg.marks').length"
# Colours of the lines that have a length, and the revisions in the legend.
SERIES = """
const plot = document.getElementById(arguments[0]);
const lines = [...plot.querySelectorAll(".mark-line.role-mark path")];
const seen = lines.filter((line) => line.getTotalLength() > 50);
const texts = [...plot.querySelectorAll(".role-legend-label text")];
return [[...new Set(seen.map((line) => line.getAttribute("stroke")))].length,
  texts.map((text) => text.textContent)];
"""
# Marks in each panel, and the panels' headers.
IN_PANELS = """
const plot = document.getElementById(arguments[0]);
const panels = [...plot.querySelectorAll(".mark-group.role-scope.cell > g")];
const marks = ".mark-rect.role-mark path, .mark-line.role-mark path";
const texts = [...plot.querySelectorAll(".role-title-text text")];
return [panels.map((panel) => panel.querySelectorAll(marks).length),
  texts.map((text) => text.textContent)];
"""


@pytest.fixture(scope="session")
def plots(clone):
    """Return DVC's page of two revisions with other curves and the same pictures."""
    clone.run("git", "checkout", "--quiet", "-b", "other")
    for name, key in CHANGED.items():
        path = clone.folder / f"plots/{name}.json"
        records = json.loads(path.read_text())
        lower = [{**record, key: 0.8 * record[key]} for record in records]
        path.write_text(json.dumps(lower))
    for name in ("intra", "inter"):
        path = clone.folder / f"plots/{name}.json"
        records = json.loads(path.read_text())
        higher = [{**record, "loss": 1.5 * record["loss"]} for record in records]
        path.write_text(json.dumps(higher))
    clone.run("git", "commit", "--quiet", "--all", "--message=other")
    clone.run("git", "checkout", "--quiet", "main")
    clone.dvc("plots", "diff", *REVISIONS)
    return clone.folder / "dvc_plots/index.html"


def opened(browser, path, width, num_drawn=NUM_PLOTS):
    """Open the page and wait until vega has drawn so many plots."""
    page = Page(browser, path, width)
    WebDriverWait(browser, 30, 0.05).until(lambda _: page.ask(DRAWN) == num_drawn)
    return page


@WIDTHS
def test_every_plot_is_drawn_without_an_error_and_every_picture_there(
    browser, plots, width
):
    page = opened(browser, plots, width)
    assert page.ask(DRAWN) == NUM_PLOTS
    assert page.broken_images() == []
    assert page.ask("return document.images.length") == 2 * len(REVISIONS)
    assert page.errors() == []


@pytest.mark.parametrize("plot", LINES)
def test_curves_of_both_revisions_lie_over_each_other(browser, plots, plot):
    page = opened(browser, plots, LAPTOP)
    num_colours, legend = page.driver.execute_script(SERIES, plot)
    assert num_colours == len(REVISIONS)
    assert legend == REVISIONS


@pytest.mark.parametrize("plot", PANELS)
def test_our_templates_have_a_panel_with_marks_for_each_revision(browser, plots, plot):
    page = opened(browser, plots, LAPTOP)
    marks, headers = page.driver.execute_script(IN_PANELS, plot)
    assert len(marks) == len(REVISIONS)
    assert min(marks) >= 6
    assert set(REVISIONS) <= set(headers)


@WIDTHS
def test_nothing_is_wider_than_the_window(browser, plots, width):
    page = opened(browser, plots, width)
    assert page.overflow() == 0
    widths = page.ask("return [...document.images].map((i) => i.clientWidth)")
    assert 0 < min(widths) <= max(widths) < width


def test_every_plot_and_picture_has_a_heading(browser, plots):
    page = opened(browser, plots, LAPTOP)
    assert page.headings() == [
        "Plots",
        "Training within cameras",
        "Training across cameras",
        "mAP by camera of query and gallery",
        "Cumulative matching characteristic",
        "Pseudo labels and true identities",
        "plots/embedding.png",
        "plots/ranked.png",
    ]
    alts = page.ask("return [...document.images].map((i) => i.alt)")
    assert alts == [
        f"plots/{name}.png, {revision}"
        for name in ("embedding", "ranked")
        for revision in REVISIONS
    ]


def test_one_broken_plot_leaves_the_others_and_is_an_error(browser, plots):
    text = plots.read_text("utf-8")
    broken = plots.with_name("broken.html")
    broken.write_text(text.replace('"mark": "rect"', '"mark": "no such"'), "utf-8")
    page = opened(browser, broken, LAPTOP, NUM_PLOTS - 1)
    assert len(page.errors()) == 1


def test_the_picture_of_make_compare_is_one(browser, clone, plots):
    clone.run(*MAKE, "compare", f"REVS={' '.join(REVISIONS)}")
    page = Page(browser, clone.folder / "reports/compare.png", LAPTOP)
    assert page.ask("return document.images.length") == 1
    assert page.broken_images() == []
    size = "const [i] = document.images; return [i.naturalWidth, i.naturalHeight]"
    width, height = page.ask(size)
    assert width > height > 200
    assert page.errors() == []


def test_dvcs_own_page_would_be_blank(browser, clone, plots, tmp_path):
    """The reason for ours; and a proof that the browser has no network."""
    template = tmp_path / "page.html"
    template.write_text(dvc_render.html.PAGE_HTML)
    options = (f"--html-template={template}", f"--out={tmp_path}/own")
    clone.dvc("plots", "diff", *REVISIONS, *options, "--targets", "plots/cmc.json")
    page = Page(browser, tmp_path / "own/index.html", LAPTOP)
    assert page.ask("return document.querySelectorAll('svg, canvas').length") == 0
    assert any("vega" in error for error in page.errors())
