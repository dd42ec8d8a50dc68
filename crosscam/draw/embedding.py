"""Two maps of the same images: features before and after training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # no stubs

from crosscam.draw.style import FAINT, INK, house_style, png

PERPLEXITY = 15.0  # about the images of one identity on Market-1501
# Twelve colours that stay apart on white; more identities come round again.
COLOURS = (
    "#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948",
    "#b07aa1", "#ff9da7", "#9c755f", "#2d3a8c", "#8cd17d", "#d37295",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "p", "h", "d", "H", "8")


def embed(features: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Return positions in the plane by t-SNE (van der Maaten and Hinton, JMLR 2008).

    It runs in one thread: scikit-learn's sums, the exact ones too, come out otherwise
    with two, and with them the picture. 300 images take about a second.

    Parameters
    ----------
    features
        ndarray of shape (num_images, dim).
    seed
        Of the randomised PCA that gives the first positions.

    Returns
    -------
    ndarray of shape (num_images, 2)
        All zero if all images have the same features, or there is but one.
    """
    if (features == features[:1]).all():  # no first component, and t-SNE crashes
        return np.zeros((len(features), 2), np.float32)
    model = TSNE(
        perplexity=min(PERPLEXITY, (len(features) - 1) / 3),
        init="pca",
        random_state=seed,
    )
    with threadpool_limits(1):
        positions: NDArray[np.float32] = model.fit_transform(features)
    return positions


def draw_embedding(
    panels: Mapping[str, NDArray[np.float32]],
    pids: NDArray[np.integer[Any]],
    camids: NDArray[np.integer[Any]],
    seed: int,
) -> bytes:
    """Return a PNG with a map for each of several features of the same images.

    Colour tells the identity and marker the camera.

    Parameters
    ----------
    panels
        Title to features of shape (num_images, dim), left to right.
    pids, camids
        Shape (num_images,), identities, and cameras from 0 (shown from 1).
    seed
        See `embed`.
    """
    shown, number = np.unique(pids, return_inverse=True)
    colours = np.array(COLOURS)[number % len(COLOURS)]
    cameras = np.unique(camids).tolist()
    with house_style():
        figure = Figure(figsize=(4.2 * len(panels), 4.6), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, (title, features) in zip(axes, panels.items(), strict=True):
            _draw_map(axis, embed(features, seed), colours, camids)
            axis.set_title(title)
        figure.suptitle(
            f"{len(shown)} test identities (colours) in "
            f"{len(cameras)} cameras (markers), t-SNE"
        )
        figure.legend(
            handles=[_handle(camid) for camid in cameras],
            loc="outside lower center",
            ncols=8,
            frameon=False,
        )
        return png(figure)


def _draw_map(
    axis: Axes,
    positions: NDArray[np.float32],
    colours: NDArray[np.str_],
    camids: NDArray[np.integer[Any]],
) -> None:
    for camid in np.unique(camids).tolist():
        rows = camids == camid
        axis.scatter(
            positions[rows, 0],
            positions[rows, 1],
            c=colours[rows],
            marker=MARKERS[camid % len(MARKERS)],
            s=26,
            linewidths=0.5,
            edgecolors="white",
        )
    axis.set(xticks=[], yticks=[])
    axis.margins(0.06)
    axis.spines[:].set(color=FAINT, linewidth=0.6)


def _handle(camid: int) -> Line2D:
    return Line2D(
        [],
        [],
        linestyle="none",
        marker=MARKERS[camid % len(MARKERS)],
        color=INK,
        label=f"cam {camid + 1}",
    )
