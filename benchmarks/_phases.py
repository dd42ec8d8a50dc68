"""Seconds of a run by what it does, measured around the functions that do it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pkgutil import resolve_name
from typing import Any

import torch

# Where a function is called from, its name there, and what its time counts as.
PHASES = {
    ("crosscam.train.rounds", "decode_all"): "decode",
    ("crosscam.train.intra", "measure_norms"): "measure norms",
    ("crosscam.train.intra", "measure_styles"): "measure styles",
    ("crosscam.train.inter", "measure_styles"): "measure styles",
    ("stages.intra", "measure_styles"): "measure styles",
    ("stages.inter", "measure_styles"): "measure styles",
    ("crosscam.train.intra", "raw_features"): "extraction",
    ("crosscam.train.inter", "styled_features"): "extraction",
    ("crosscam.cluster.cameras", "cosine_distances"): "distances",
    ("crosscam.cluster.cameras", "mix_scores_into"): "scores",
    ("crosscam.cluster.on_device", "mixed_distances"): "distances, scores",
    ("crosscam.cluster.cameras", "density_pseudo_labels"): "by density",
    ("crosscam.cluster.cameras", "reranked_distances"): "re-ranking",
    ("crosscam.cluster.cameras", "pseudo_labels"): "linkage",
    ("crosscam.train.intra", "train_epochs"): "training",
    ("crosscam.train.inter", "train_epochs"): "training",
    ("stages.extract", "decode_all"): "decode",
    ("stages.extract", "features"): "extraction",
    ("stages.evaluate", "evaluate"): "ranking",
    ("stages.evaluate", "pseudo_label_quality"): "quality",
    ("stages.evaluate", "draw_ranked"): "pictures",
    ("stages.evaluate", "draw_embedding"): "pictures",
}
REST = "the rest"


class Clock:
    """Seconds by phase; a phase within another one counts for itself alone."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._open = [REST]
        self._since = now()

    def begin(self, phase: str) -> None:
        """Begin a phase, and let the one around it pause."""
        self._add()
        self._open.append(phase)

    def end(self) -> None:
        """End the last phase that began."""
        self._add()
        self._open.pop()

    def taken(self) -> Counter[str]:
        """Return the seconds so far, and start anew."""
        self._add()
        taken, self.seconds = self.seconds, Counter()
        return taken

    def _add(self) -> None:
        then = now()
        self.seconds[self._open[-1]] += then - self._since
        self._since = then


def now() -> float:
    """Return the time in seconds, when all queued work is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


@contextmanager
def timed_phases(
    phases: Mapping[tuple[str, str], str] | None = None,
) -> Iterator[Clock]:
    """Let a clock measure all that runs meanwhile.

    Parameters
    ----------
    phases
        What the time of a function counts as, by the module that calls it, or
        ``module:class`` for a method, and its name there; None: `PHASES`.

    Raises
    ------
    AttributeError
        If a function is not where it was: its time would count as the rest unseen.
    """
    clock, before = Clock(), []
    for (place, name), phase in (phases or PHASES).items():
        module = resolve_name(place)
        before.append((module, name, getattr(module, name)))
        setattr(module, name, within(clock, phase, getattr(module, name)))
    try:
        yield clock
    finally:
        for module, name, function in before:
            setattr(module, name, function)


def within(clock: Clock, phase: str, function: Callable[..., Any]) -> Any:
    """Return a function whose time counts as that of a phase."""

    @wraps(function)
    def run(*given: Any, **named: Any) -> Any:
        clock.begin(phase)
        try:
            return function(*given, **named)
        finally:
            clock.end()

    return run


def lines(seconds: Counter[str]) -> list[str]:
    """Return a line per phase, the longest first: seconds, and the share of all."""
    total = sum(seconds.values())
    rows = [
        f"  {phase:14} {took:9.2f} s {100 * took / total:5.1f} %"
        for phase, took in seconds.most_common()
    ]
    return [*rows, f"  {'all':14} {total:9.2f} s"]
