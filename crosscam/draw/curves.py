"""Curves of several runs in one picture: CMC, and pseudo labels by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from crosscam.draw.style import FAINT, house_style, png

# Dark and light take turns, and each has a marker and dashes of its own: runs stay
# apart in grey print and to the colour-blind.
STYLES: Sequence[tuple[str, str, Any]] = (
    ("#16365c", "o", "-"),
    ("#e07b39", "s", (0, (6, 2))),
    ("#0d6e5f", "^", (0, (3, 1, 1, 1))),
    ("#b48ac2", "D", (0, (2, 1))),
    ("#8c1d2f", "v", (0, (7, 1, 1, 1, 1, 1))),
    ("#3fa7d6", "P", (0, (4, 4))),
    ("#4d4d4d", "X", (0, (1, 1))),
    ("#c9a227", "*", (0, (9, 3))),
)
NUM_DOTS = 8  # on the longest CMC curve


class Run(NamedTuple):
    """What is drawn of a run.

    Attributes
    ----------
    name
        As it stands in the legend.
    metrics
        ``mAP``, ``mAP_low`` and ``mAP_high`` in [0, 1].
    cmc
        Records of ``rank`` (from 1) and ``cmc``.
    pseudo_labels
        Records of ``step`` (from 1), ``phase`` (``intra`` or ``inter``) and ``ari``.
    """

    name: str
    metrics: Mapping[str, float]
    cmc: Sequence[Mapping[str, float]]
    pseudo_labels: Sequence[Mapping[str, Any]]


def draw_curves(runs: Sequence[Run]) -> bytes:
    """Return a PNG with the CMC curves of all runs beside their pseudo labels' ARI.

    Earlier runs are drawn broader and below, so that of two equal curves both show.

    Parameters
    ----------
    runs
        From one to eight, which is as many as can be told apart.

    Raises
    ------
    ValueError
        If there are fewer or more.
    """
    if not 1 <= len(runs) <= len(STYLES):
        raise ValueError(
            f"runs to draw: must be 1 to {len(STYLES)}, got {len(runs)}: "
            "more cannot be told apart"
        )
    with house_style():
        figure = Figure(figsize=(9, 4 + 0.18 * len(runs)), layout="constrained")
        left, right = figure.subplots(1, 2)
        every = max(1, max(len(run.cmc) for run in runs) // NUM_DOTS)
        for place, run in enumerate(runs):
            _draw_cmc(left, run, place, len(runs), every)
            _draw_quality(right, run, place, len(runs))
        left.set(title="Cumulative matching characteristic", xlabel="rank")
        left.set(ylabel="queries with a true match up to this rank")
        right.set(title="Pseudo labels: agreement with the true identities")
        right.set(xlabel="round (hollow: within cameras, filled: across cameras)")
        right.set(ylabel="adjusted Rand index")
        for axes in (left, right):
            _dress(axes)
        left.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        legend = figure.legend(
            *left.get_legend_handles_labels(),
            loc="outside lower center",
            frameon=False,
            handlelength=5,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)  # a name may have dollar signs
        return png(figure)


def _draw_cmc(axes: Axes, run: Run, place: int, num_runs: int, every: int) -> None:
    m = run.metrics
    interval = f"[{100 * m['mAP_low']:.1f}, {100 * m['mAP_high']:.1f}]"
    start = 1 + every * (place + 1) // (num_runs + 1)
    axes.plot(
        [record["rank"] for record in run.cmc],
        [record["cmc"] for record in run.cmc],
        # The first dot is rank-1; later ones are set apart from those of other runs.
        markevery=[0, *range(start, len(run.cmc), every)],
        label=f"{run.name}: mAP {100 * m['mAP']:.1f} % {interval}",
        **_style(place, num_runs),
    )


def _draw_quality(axes: Axes, run: Run, place: int, num_runs: int) -> None:
    style = _style(place, num_runs)
    hollow = {**style, "markerfacecolor": "white", "linewidth": style["linewidth"] / 2}
    for phase, look in (("intra", hollow), ("inter", style)):
        records = [r for r in run.pseudo_labels if r["phase"] == phase]
        axes.plot([r["step"] for r in records], [r["ari"] for r in records], **look)


def _style(place: int, num_runs: int) -> dict[str, Any]:
    colour, marker, dashes = STYLES[place]
    below = (num_runs - 1 - place) / len(STYLES)  # 0 for the run on top
    return {
        "color": colour,
        "marker": marker,
        "linestyle": dashes,
        "linewidth": 1.4 + 2.4 * below,
        "markersize": 4.5 + 3 * below,
        "clip_on": False,
    }


def _dress(axes: Axes) -> None:
    axes.grid(color=FAINT, alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
