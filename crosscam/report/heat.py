"""A table of fractions as a heat map: text stays text, and readable on any colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from crosscam.report.markup import Markup, scrolling, tag

AT = (0.0, 0.5, 1.0)
STOPS = ((247, 251, 255), (107, 174, 214), (8, 48, 107))  # pale, middle, deep
Colour = tuple[int, int, int]


def heat_map(camera_pairs: Sequence[Mapping[str, Any]]) -> Markup:
    """Return a table of mAP in percent, by camera of query and gallery.

    Parameters
    ----------
    camera_pairs
        Records of ``query_camera``, ``gallery_camera``, ``mAP`` in [0, 1] and
        ``num_queries``. A pair without a record has an empty cell.
    """
    found = {(r["query_camera"], r["gallery_camera"]): r for r in camera_pairs}
    rows = sorted({query for query, _ in found})
    columns = sorted({gallery for _, gallery in found})
    heads = [tag("th", f"c{camera}", scope="col") for camera in columns]
    corner = tag("th", "query | gallery", scope="col")
    body = [
        tag(
            "tr",
            tag("th", f"c{query}", scope="row"),
            *(_cell(found.get((query, gallery))) for gallery in columns),
        )
        for query in rows
    ]
    parts = tag("thead", tag("tr", corner, *heads)), tag("tbody", *body)
    return scrolling(tag("table", *parts, class_="heat"), "mAP by camera pair")


def colours(fraction: float) -> tuple[Colour, Colour]:
    """Return background and text of a cell: black or white, whichever is plainer.

    Parameters
    ----------
    fraction
        In [0, 1]: 0 is pale, 1 is deep.

    Returns
    -------
    tuple
        Red, green, blue in 0..255 of both. Their contrast is above 4.5 (WCAG 2.1, AA).
    """
    channels = zip(*STOPS, strict=True)
    red, green, blue = (round(float(np.interp(fraction, AT, c))) for c in channels)
    background = (red, green, blue)
    black, white = (0, 0, 0), (255, 255, 255)
    plainer = contrast(black, background) >= contrast(white, background)
    return background, black if plainer else white


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours, from 1 to 21, by WCAG 2.1."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: Colour) -> float:
    parts = [part / 255 for part in colour]
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _cell(record: Mapping[str, Any] | None) -> Markup:
    if record is None:
        return tag("td", "")
    background, text = ("rgb({}, {}, {})".format(*c) for c in colours(record["mAP"]))
    return tag(
        "td",
        f"{100 * record['mAP']:.1f}",
        style=f"background: {background}; color: {text}",
        title=f"{record['num_queries']} queries",
    )
