"""Figures as SVG that can stand within an HTML page, several in one."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib.style
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from crosscam.draw.style import house_style
from crosscam.report.markup import Markup

NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@contextmanager
def svg_style() -> Iterator[None]:
    """Draw in the house style, a little larger; text stays text."""
    settings = {
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "svg.fonttype": "none",
        "svg.hashsalt": "crosscam",  # else ids are drawn at random
    }
    with house_style(), matplotlib.style.context(settings):
        yield


def svg(figure: Figure, name: str, about: str) -> Markup:
    """Return a figure, drawn within `svg_style`, as an SVG element.

    Parameters
    ----------
    figure
        What is drawn.
    name
        Of letters: put before the ids, which are thus one of a kind in the page.
    about
        What it shows, for those who do not see it.

    Returns
    -------
    Markup
        The same for the same drawing: without a date, a version or a random id.
    """
    buffer = io.StringIO()
    FigureCanvasSVG(figure)
    figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    text = buffer.getvalue()
    text = re.sub(r"<style.*?</style>", "", text[text.index("<svg") :], flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", text))
    text = re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", text)
    text = re.sub(r'(url\(#|href="#| id=")', rf"\g<1>{name}-", text)
    # The page's own font: the one that is named here is on few machines.
    text = text.replace("'DejaVu Sans'", "system-ui, sans-serif")
    text = re.sub(r">\s+<", "><", text.strip()).replace("\n", " ")
    said = f'<svg role="img" aria-label="{html.escape(about)}"'
    return Markup(text.replace("<svg", said, 1))
