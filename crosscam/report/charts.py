"""Charts of a run's history and of its ranking, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from crosscam.draw.style import FAINT, INK
from crosscam.report.markup import Markup
from crosscam.report.numbers import percent
from crosscam.report.svg import svg, svg_style

Records = Sequence[Mapping[str, Any]]

SIZE = (4.3, 2.9)  # inches: three beside each other on a laptop, one on a phone
PHASES = {
    "intra": ("within cameras", "#d9702c"),
    "inter": ("across cameras", "#16365c"),
}
MEASURES = {
    "ari": ("ARI", "#16365c"),
    "nmi": ("NMI", "#d9702c"),
    "purity": ("purity", "#0d7a68"),
}
DASHES = {"intra": (0, (3, 2)), "inter": "-"}


def loss_chart(epochs: Records, phase: str) -> Markup:
    """Return the training loss of one phase by epoch of the whole run.

    Parameters
    ----------
    epochs
        Records of ``epoch``, ``phase`` and ``loss`` in order (see `run_epochs`).
    phase
        ``intra`` or ``inter``; the losses of the two have no common scale.
    """
    about, colour = PHASES[phase]
    shown = [record for record in epochs if record["phase"] == phase]

    def draw(axes: Axes) -> None:
        _line(axes, shown, "epoch", "loss", colour)
        axes.set(xlabel="epoch of the run", ylabel="loss", title=f"Loss {about}")
        axes.set_ylim(bottom=0)

    return _chart(draw, f"loss-{phase}", f"Training loss {about} by epoch")


def rate_chart(epochs: Records) -> Markup:
    """Return the learning rate of the heads by epoch, a colour for each phase."""

    def draw(axes: Axes) -> None:
        for phase, (about, colour) in PHASES.items():
            shown = [record for record in epochs if record["phase"] == phase]
            _line(axes, shown, "epoch", "lr", colour, label=about, linestyle="none")
        axes.set(
            xlabel="epoch of the run", ylabel="learning rate", title="Learning rate"
        )
        axes.set_ylim(bottom=0)

    return _chart(draw, "rate", "Learning rate by epoch", legend=True)


def round_chart(rounds: Records, key: str, title: str) -> Markup:
    """Return something of the clusters of each round, a line for each phase.

    Parameters
    ----------
    rounds
        Records of ``step`` (from 1), ``phase`` and `key`.
    key
        ``num_clusters``, or a fraction such as ``outliers``.
    title
        Of the chart.
    """

    def draw(axes: Axes) -> None:
        for phase, (about, colour) in PHASES.items():
            shown = [record for record in rounds if record["phase"] == phase]
            _line(axes, shown, "step", key, colour, label=about)
        axes.set(xlabel="round", title=title)
        if key != "num_clusters":
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        axes.set_ylim(bottom=0)
        if axes.get_ylim()[1] < 0.05:  # all 0: no scale of its own
            axes.set_ylim(top=0.05)

    return _chart(draw, key.replace("_", "-"), f"{title} by round", legend=True)


def quality_chart(rounds: Records) -> Markup:
    """Return ARI, NMI and purity of the pseudo labels by round."""

    def draw(axes: Axes) -> None:
        for key, (label, colour) in MEASURES.items():
            for phase, dashes in DASHES.items():
                shown = [record for record in rounds if record["phase"] == phase]
                only = label if phase == "inter" else "_"
                _line(axes, shown, "step", key, colour, label=only, linestyle=dashes)
        axes.set(xlabel="round (dashed: within cameras)", title="Pseudo labels")
        axes.set_ylim(0, 1.02)

    return _chart(draw, "quality", "Quality of the pseudo labels by round", legend=True)


def cmc_chart(cmc: Records, metrics: Mapping[str, float]) -> Markup:
    """Return the CMC curve, with the 95 % interval at rank 1.

    Parameters
    ----------
    cmc
        Records of ``rank`` (from 1) and ``cmc``.
    metrics
        With ``rank1``, ``rank1_low`` and ``rank1_high`` in [0, 1].
    """

    def draw(axes: Axes) -> None:
        colour = PHASES["inter"][1]
        axes.plot(*_columns(cmc, "rank", "cmc"), color=colour, linewidth=1.8)
        low, middle, high = (metrics[f"rank1{end}"] for end in ("_low", "", "_high"))
        reach = [[middle - low], [high - middle]]
        axes.errorbar(1, middle, reach, fmt="o", color=colour, capsize=4, markersize=5)
        for record in cmc:
            if record["rank"] in {1, 5, 10, 20}:
                _mark(axes, record["rank"], record["cmc"], colour)
        axes.set(xlabel="rank", title="Cumulative matching characteristic")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))

    return _chart(draw, "cmc", "CMC curve", size=(4.9, 3.5))


def run_epochs(intra: Records, inter: Records) -> list[dict[str, Any]]:
    """Return the epochs of both stages as one list, counted on from 1."""
    every = [*intra, *inter]
    return [{**record, "epoch": number} for number, record in enumerate(every, 1)]


def _chart(
    draw: Callable[[Axes], None],
    name: str,
    about: str,
    *,
    legend: bool = False,
    size: tuple[float, float] = SIZE,
) -> Markup:
    with svg_style():
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.grid(color=FAINT, alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(color=FAINT, labelcolor=INK)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        if legend:
            axes.legend(frameon=False, loc="best", handlelength=1.6)
        return svg(figure, name, about)


def _line(
    axes: Axes, records: Records, x: str, y: str, colour: str, **style: Any
) -> None:
    look = {"marker": "o", "markersize": 3.5, "linewidth": 1.6, **style}
    axes.plot(*_columns(records, x, y), color=colour, clip_on=False, **look)


def _columns(records: Records, x: str, y: str) -> tuple[list[Any], list[Any]]:
    return [record[x] for record in records], [record[y] for record in records]


def _mark(axes: Axes, rank: int, cmc: float, colour: str) -> None:
    axes.plot(rank, cmc, "o", color=colour, markersize=5)
    axes.annotate(percent(cmc), (rank, cmc), xytext=(7, -9), textcoords="offset points")
