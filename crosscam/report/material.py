"""What a report is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from crosscam.rank.bootstrap import Interval
from crosscam.report.markup import Markup

Records = Sequence[Mapping[str, Any]]


class Section(NamedTuple):
    """A part of the page with a heading.

    Attributes
    ----------
    anchor
        Of letters: what links to it name.
    title
        Its heading.
    body
        All below.
    """

    anchor: str
    title: str
    body: Markup


class RankedPicture(NamedTuple):
    """A picture of ranked lists, a PNG, and the average precision of each query."""

    picture: bytes
    aps: Sequence[float]


@dataclass(frozen=True)
class Material:
    """The files of one run, parsed, and what was computed from them.

    Attributes
    ----------
    unzip, split, metrics
        Of ``metrics/unzip.json``, ``split.json`` and ``evaluate.json``.
    cmc, camera_pairs, pseudo_labels, intra, inter
        Of the files of these names in ``plots/``.
    embedding
        ``plots/embedding.png``.
    intervals
        95 % interval of each metric, by its name.
    ranked
        Ranked lists, by ``best``, ``median`` and ``worst``; a group may be missing.
    params, default
        Parameter trees of the run and of the default recipe.
    recipe
        What the parameters are called.
    stages
        Of ``dvc.lock``: those that the evaluation rests on, by name.
    environment
        Versions, device and commit, by name.
    """

    unzip: Mapping[str, Any]
    split: Mapping[str, Any]
    metrics: Mapping[str, float]
    cmc: Records
    camera_pairs: Records
    pseudo_labels: Records
    intra: Records
    inter: Records
    embedding: bytes
    intervals: Mapping[str, Interval]
    ranked: Mapping[str, RankedPicture]
    params: Mapping[str, Any]
    default: Mapping[str, Any]
    recipe: str
    stages: Mapping[str, Any]
    environment: Mapping[str, str]
