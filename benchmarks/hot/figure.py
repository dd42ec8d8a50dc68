"""The results as bars: how many times as fast as each peer."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.hot.table import Row, three
from crosscam.draw.style import FAINT, house_style, png, with_palette

BAR, GOAL = "#16365c", "#e07b39"
PITCH = 0.33  # inches from bar to bar
DOT = {"marker": "o", "color": "white", "markeredgecolor": FAINT, "markersize": 5}


def draw(rows: Sequence[Row]) -> bytes:
    """Return a PNG with a bar per peer, the ratio of processor seconds as a dot.

    Parameters
    ----------
    rows
        Those without a ratio are left out.
    """
    rows = [row for row in rows if row.ratio is not None][::-1]
    with house_style():
        size = (9, 1 + PITCH * len(rows))
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        for place, row in enumerate(rows):
            _bar(axes, place, row)
        axes.axvline(1, color=FAINT, linewidth=0.8)
        axes.set(xscale="log", ylim=(-0.7, len(rows) - 0.3))
        axes.set(xlabel="the peer's time divided by ours (logarithmic)")
        axes.set_yticks(range(len(rows)), [_name(row) for row in rows], fontsize=7)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g} ×"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.12)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        _legend(figure)
        return with_palette(png(figure))


def _bar(axes: Axes, place: int, row: Row) -> None:
    cpu, ratio = row.cpu_ratio or 1, row.ratio or 1
    axes.barh(place, ratio - 1, left=1, height=0.6, color=BAR)
    axes.plot(cpu, place, **DOT)
    if row.goal is not None and row.goal.wall is not None:
        axes.plot([row.goal.wall] * 2, [place - 0.42, place + 0.42], color=GOAL)
    text = f"{three(ratio)} × (processor {three(cpu)} ×)"
    end = max(ratio, cpu, 1)
    moved = {"xytext": (6, 0), "textcoords": "offset points"}
    axes.annotate(text, (end, place), va="center", color=FAINT, **moved)


def _legend(figure: Figure) -> None:
    keys = [
        Patch(color=BAR, label="by the clock"),
        Line2D([], [], linestyle="", label="by processor seconds", **DOT),
        Line2D([], [], color=GOAL, label="goal, by the clock"),
    ]
    figure.legend(handles=keys, loc="outside upper center", ncols=3, frameon=False)


def _name(row: Row) -> str:
    label = row.peer["label"] if row.peer else ""
    return f"{row.path.title}: {row.case.label}\n{label}"
