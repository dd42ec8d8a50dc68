"""Sections on how it came about: the data and the training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crosscam.report import numbers
from crosscam.report.charts import (
    loss_chart,
    quality_chart,
    rate_chart,
    round_chart,
    run_epochs,
)
from crosscam.report.markup import Markup, figure, joined, table, tag
from crosscam.report.material import Material, Section

COUNTS = ("images", "identities", "cameras", "distractors", "junk")


def data_section(material: Material) -> Section:
    """Return how many images there are, and where that is not what is published."""
    split = material.split
    subsets = ("train", "query", "gallery")
    rows = [(name, *(_count(split[name][key]) for key in COUNTS)) for name in subsets]
    cameras = split["train_images_per_camera"]
    per_camera = ", ".join(f"{name}: {_count(cameras[name])}" for name in cameras)
    text = (
        f"Training images by camera: {per_camera}. Window of each camera's recording "
        f"time: {numbers.value(list(split['window']))}; lists: "
        f"{numbers.value(list(split['train_lists']))}."
    )
    parts = [
        table(("subset", *COUNTS), rows, "Images used"),
        tag("p", text, class_="note"),
    ]
    return Section("data", "Data", joined([*parts, published(material.unzip)]))


def published(unzip: Mapping[str, Any]) -> Markup:
    """Return the counts in the archive beside those that its authors publish.

    Parameters
    ----------
    unzip
        Of ``metrics/unzip.json``; see `crosscam.data.published.summary`.
    """
    known = unzip["known"]
    origin = f", that of the original {known}" if known else ""
    md5 = f"The archive {unzip['file']} has md5 {unzip['md5']}{origin}. "
    if unzip["published"] is None:
        return tag("p", md5 + "No counts of it are published.", class_="note")
    if unzip["agrees"]:
        return tag("p", md5 + "All counts in it are those published.", class_="note")
    rows = [
        (f"{name}: {key}", _count(found), _count(said), f"{found - said:+,}")
        for name, of in unzip["published"].items()
        for key, said in of.items()
        if (found := unzip["counts"][name][key]) != said
    ]
    head = ("in the archive", "found", "published", "difference")
    note = tag("p", md5 + "Its counts are not those published:", class_="note bad")
    return joined([note, table(head, rows, "Deviations from the published counts")])


def training_section(material: Material) -> Section:
    """Return losses, learning rates, clusters and their quality."""
    epochs = run_epochs(material.intra, material.inter)
    rounds = material.pseudo_labels
    charts = [
        figure(
            loss_chart(epochs, "intra"),
            "Mean loss of each epoch within cameras, summed over the cameras' heads. "
            "It should fall; it may jump where a round begins, with new heads.",
        ),
        figure(
            loss_chart(epochs, "inter"),
            "Mean loss of each epoch across cameras. It jumps up where a round begins "
            "with new clusters and a new head.",
        ),
        figure(
            rate_chart(epochs),
            "Learning rate of the heads at the end of each epoch.",
        ),
        figure(
            round_chart(rounds, "num_clusters", "Clusters"),
            "Clusters that hold images of known identity: within cameras the sum over "
            "all cameras.",
        ),
        figure(
            round_chart(rounds, "outliers", "Outliers"),
            "Images that belong to no cluster and are left out of the round.",
        ),
        figure(
            quality_chart(rounds),
            "Agreement with the true identities, which training never sees: 1 is "
            "perfect, an ARI of 0 is chance. Read it beside the outliers.",
        ),
    ]
    return Section("training", "Training", tag("div", *charts, class_="three"))


def _count(number: int) -> str:
    return numbers.count(number)
