"""k-reciprocal re-ranking of a test set from its features, as in `evaluate.rerank`."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.hot.agree import close
from benchmarks.hot.path import Arrays, Case, Implementation, Path
from benchmarks.hot.paths import gallery_reranking as given
from benchmarks.hot.world import query_and_gallery
from crosscam.rank.rerank import reranked_distmat


def ours(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start ours."""
    pair = arrays["query"], arrays["gallery"]
    return lambda: {"matrix": reranked_distmat(*pair, given.PARAMS)}


def torchreid(arrays: Arrays, *_: int) -> Callable[[], Arrays]:
    """Start torchreid's, with its distances as part of the work."""

    def run() -> Arrays:
        return given.torchreid(arrays)()

    return run


PATH = Path(
    title="re-ranking, query by gallery, from features (768 values)",
    inputs=query_and_gallery,
    ours=Implementation("crosscam", ours),
    peers={
        "torchreid": Implementation("numpy, then torchreid", torchreid, tolerance=1e-6)
    },
    untimed={"exact": Implementation("the same in order", given.exact)},
    checks={"torchreid": ("ours", "exact")},
    agreement=close,
    cases=(Case("3,368 × 15,913", (3368, 15_913)),),
    quick=(200, 800),
    warm=lambda *_: (50, 200),
)
