"""The page itself: one file, without a script, that asks no server for anything."""

from __future__ import annotations

from crosscam.report.history import data_section, training_section
from crosscam.report.markup import Markup, joined, tag
from crosscam.report.material import Material, Section
from crosscam.report.origin import environment_section, files_section, params_section
from crosscam.report.ranking import (
    curve_section,
    embedding_section,
    headline,
    metrics_section,
    ranked_section,
)
from crosscam.report.style import CSS


def page(material: Material) -> str:
    """Return a run as an HTML page; the same for the same material."""
    sections = [
        metrics_section(material),
        curve_section(material),
        ranked_section(material),
        embedding_section(material),
        data_section(material),
        training_section(material),
        params_section(material),
        environment_section(material),
        files_section(material),
    ]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"crosscam: {material.unzip['file']}, {material.recipe}"),
        tag("style", Markup(CSS)),
    )
    links = [tag("a", section.title, href=f"#{section.anchor}") for section in sections]
    content = [tag("nav", *links, aria_label="Sections"), *map(_shown, sections)]
    header = tag("header", headline(material))
    body = tag("body", header, *content[:1], tag("main", *content[1:]))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _shown(section: Section) -> Markup:
    heading = tag("h2", section.title, id=section.anchor)
    return tag("section", joined([heading, section.body]))
