"""HTML in which text is escaped unless it is known to be HTML."""

from __future__ import annotations

import base64
import html
import struct
from collections.abc import Iterable, Sequence

VOID = {"img", "link", "meta"}  # elements without content
PNG = b"\x89PNG\r\n\x1a\n"


class Markup(str):
    """Text that is HTML, made by the functions of this module."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str) -> Markup:
    """Return an element; children that are no `Markup` are escaped.

    Parameters
    ----------
    name
        Of the element.
    children
        Texts and elements in it.
    attributes
        Text. An underscore in a name stands for a dash, one at its end for nothing
        (``class_``).
    """
    pairs = [(key.rstrip("_").replace("_", "-"), attributes[key]) for key in attributes]
    start = name + "".join(f' {key}="{html.escape(text)}"' for key, text in pairs)
    return Markup(
        f"<{start}>" if name in VOID else f"<{start}>{joined(children)}</{name}>"
    )


def joined(parts: Iterable[str]) -> Markup:
    """Return texts and elements one after the other, the texts escaped."""
    return Markup(
        "".join(
            part if isinstance(part, Markup) else html.escape(part) for part in parts
        )
    )


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], about: str, class_: str = ""
) -> Markup:
    """Return a table in a box of its own, in which a wide one moves.

    Parameters
    ----------
    head
        Of the columns.
    rows
        Of as many cells each. The first cell is the row's head.
    about
        What the table shows, for those who do not see it.
    class_
        Further classes of the table.
    """
    heads = [tag("th", cell, scope="col") for cell in head]
    body = [
        tag(
            "tr", tag("th", row[0], scope="row"), *(tag("td", cell) for cell in row[1:])
        )
        for row in rows
    ]
    parts = tag("thead", tag("tr", *heads)), tag("tbody", *body)
    return scrolling(tag("table", *parts, class_=class_), about)


def scrolling(element: Markup, about: str) -> Markup:
    """Return an element in a box that moves it sideways, by the keyboard too."""
    box = {"class_": "scroll", "tabindex": "0", "role": "region"}
    return tag("div", element, **box, aria_label=about)


def figure(picture: Markup, caption: str, class_: str = "") -> Markup:
    """Return a picture with a sentence below it."""
    return tag("figure", picture, tag("figcaption", caption), class_=class_)


def png_image(data: bytes, about: str) -> Markup:
    """Return a PNG as an element that holds it.

    Parameters
    ----------
    data
        The file.
    about
        What it shows, for those who do not see it.

    Raises
    ------
    ValueError
        If it is no PNG.
    """
    if not data.startswith(PNG):
        raise ValueError(f"picture: must be a PNG, got {data[:8]!r}: make it again")
    width, height = struct.unpack(">II", data[16:24])
    source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return tag("img", src=source, alt=about, width=str(width), height=str(height))
