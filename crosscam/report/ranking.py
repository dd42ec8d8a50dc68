"""Sections on the result: metrics, curve, camera pairs, ranked lists, embedding."""

from __future__ import annotations

from crosscam.rank.bootstrap import Interval
from crosscam.report import numbers
from crosscam.report.charts import cmc_chart
from crosscam.report.heat import heat_map
from crosscam.report.markup import (
    Markup,
    figure,
    joined,
    png_image,
    scrolling,
    table,
    tag,
)
from crosscam.report.material import Material, Section

METRICS = {
    "mAP": ("mAP", "mean over the queries of average precision (step sum)"),
    "rank1": ("rank-1", "queries whose nearest image is right"),
    "rank5": ("rank-5", "… with a right one among the 5 nearest"),
    "rank10": ("rank-10", "… among the 10 nearest"),
    "rank20": ("rank-20", "… among the 20 nearest"),
    "mINP": ("mINP", "how soon even the hardest match is found"),
    "mAP_trapezoid": ("mAP, trapezoid", "as the Market-1501 toolbox takes it"),
    "mAP_reranked": ("mAP, re-ranked", "by k-reciprocal neighbours, queries included"),
    "rank1_reranked": ("rank-1, re-ranked", "likewise"),
}
OWN = {"none", "intra.safetensors", "inter.safetensors"}  # made by this run
GROUPS = {
    "best": "Queries of the highest average precision.",
    "median": "Queries in the middle: half do better, half worse.",
    "worst": "Queries of the lowest average precision.",
}


def headline(material: Material) -> Markup:
    """Return the head of the page: what was run, and the two numbers of the field."""
    m, unzip, model = material.metrics, material.unzip, material.params["model"]
    cards = [
        tag(
            "div",
            tag("span", name, class_="name"),
            tag("strong", numbers.percent(m[key])),
            tag("span", numbers.interval(m[f"{key}_low"], m[f"{key}_high"])),
            class_="card",
        )
        for key, name in (("mAP", "mAP"), ("rank1", "rank-1"))
    ]
    height, width = model["image_size"]
    checkpoint = material.params["extract"]["checkpoint"]
    untrained = checkpoint == "none"
    facts = {
        "Dataset": f"{unzip['file']} (layout {unzip['layout']})",
        "Recipe": material.recipe,
        "Network": f"{model['backbone']}, images of {height} × {width} pixels",
        "Evaluated": "the untrained network" if untrained else f"models/{checkpoint}",
        "Commit": material.environment["commit"],
    }
    if checkpoint not in OWN:
        del facts["Network"]  # it may be another one
    items = [tag("div", tag("dt", key), tag("dd", facts[key])) for key in facts]
    return joined([
        tag("h1", "Unsupervised person re-identification: a run"),
        tag("div", *cards, tag("dl", *items), class_="head"),
    ])


def _interval(material: Material, key: str) -> Interval:
    """Return a metric's interval; of the re-ranked ones the stage has taken it."""
    if key in material.intervals:
        return material.intervals[key]
    name, m = key.removesuffix("_reranked"), material.metrics
    return Interval(m[f"{name}_low_reranked"], m[f"{name}_high_reranked"])


def metrics_section(material: Material) -> Section:
    """Return the table of metrics with their intervals."""
    m = material.metrics
    rows = [
        (
            name,
            numbers.percent(m[key]),
            numbers.interval(*_interval(material, key)),
            about,
        )
        for key, (name, about) in METRICS.items()
        if key in m
    ]
    head = ("metric", "value", "95 % interval", "what it is")
    ignored = numbers.count(int(m["gallery_junk"]))
    text = (
        f"Over {numbers.count(int(m['num_queries']))} queries; "
        f"{numbers.count(int(m['queries_without_match']))} without a match in another "
        f"camera are left out, and {ignored} junk images of the gallery ignored. The "
        "intervals, in percent, say how far a number would move with other queries "
        "(bootstrap); they do not hold the spread between training seeds."
    )
    body = joined([
        table(head, rows, "Metrics", "metrics"),
        tag("p", text, class_="note"),
    ])
    return Section("metrics", "Metrics", body)


def curve_section(material: Material) -> Section:
    """Return the CMC curve and the camera pairs."""
    curve = figure(
        cmc_chart(material.cmc, material.metrics),
        "Queries with a right image among the k nearest, by k. The bar at rank 1 is "
        "its 95 % interval. A curve that starts high is good.",
    )
    pairs = figure(
        heat_map(material.camera_pairs),
        "mAP in percent, of queries of one camera (rows) against the images of another "
        "(columns) alone. A pale row is a camera whose people are hard to find "
        "elsewhere, a pale column one in which they are hard to find.",
    )
    return Section("curve", "Ranks and cameras", tag("div", curve, pairs, class_="two"))


def ranked_section(material: Material) -> Section:
    """Return the ranked lists of the best, median and worst queries."""
    parts = []
    for name, (picture, aps) in material.ranked.items():
        about = GROUPS[name]
        said = f"{len(aps)} queries, each with its nearest gallery images; {about}"
        scores = ", ".join(f"{ap:.2f}" for ap in aps)
        image = scrolling(png_image(picture, f"{said} AP {scores}"), f"{name} queries")
        parts += [tag("h3", name.capitalize()), figure(image, f"{about} AP: {scores}.")]
    text = (
        "Left the query, then the gallery images nearest first, under the rules of the "
        "metrics: a green frame and a tick is the same person in another camera, a red "
        "frame and a cross somebody else. An identity is shown once in each group."
    )
    body = joined([tag("p", text), *parts])
    return Section("ranked", "Best, median and worst queries", body)


def embedding_section(material: Material) -> Section:
    """Return the picture of features before and after training."""
    about = "Features of some test images in the plane, before and after training"
    caption = (
        "t-SNE of the features of the same images: colours are identities, markers "
        "cameras. Untrained, images lie together by camera and light; trained, by "
        "person. Distances between far groups mean little."
    )
    image = scrolling(png_image(material.embedding, about), about)
    return Section("embedding", "Before and after training", figure(image, caption))
