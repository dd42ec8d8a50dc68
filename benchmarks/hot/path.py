"""What is said of a hot path: its sizes, who computes it, when two results agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
Run = Callable[[], Arrays]
# From inputs and a case's values to what is timed: reading and building come before.
Start = Callable[..., Run]


class Agreement(NamedTuple):
    """How far two results are apart, in words, and whether that is near enough."""

    text: str
    holds: bool


@dataclass(frozen=True)
class Goal:
    """What ours has to reach; what is None is not asked for.

    Parameters
    ----------
    wall, cpu
        Times as fast as the peer, by the clock and by processor seconds.
    seconds
        By the clock, at most.
    growth
        Memory above the inputs, at most, in MB (10^6 bytes).
    peak
        Memory of the whole process, at most, in MB.
    """

    wall: float | None = None
    cpu: float | None = None
    seconds: float | None = None
    growth: float | None = None
    peak: float | None = None


@dataclass(frozen=True)
class Case:
    """One size of a path.

    Parameters
    ----------
    label
        For readers.
    values
        For the functions of the path.
    goals
        By the name of the peer; ``""`` is for ours alone.
    flag
        Of the processor, as Linux names it, without which the case means nothing.
    """

    label: str
    values: tuple[Any, ...]
    goals: Mapping[str, Goal] = field(default_factory=dict)
    flag: str = ""


def whole(*_: Any) -> float:
    """Return 1: the whole of the work is done."""
    return 1.0


@dataclass(frozen=True)
class Implementation:
    """Someone's way of computing a path.

    Parameters
    ----------
    label
        For readers.
    start
        See `Start`.
    tolerance
        How near ours must come, in the terms of the path's `agreement`.
    part
        From a case's values to the part of the work that is done; the time of all of
        it is extrapolated.
    cases
        Labels of the cases it can do; None: all.
    """

    label: str
    start: Start
    tolerance: float = 0.0
    part: Callable[..., float] = whole
    cases: tuple[str, ...] | None = None

    def does(self, case: Case) -> bool:
        """Return whether a case is one of its own (the quick one always is)."""
        return self.cases is None or case.label in {*self.cases, QUICK}


QUICK = "quick"


@dataclass(frozen=True)
class Path:
    """A hot path.

    Parameters
    ----------
    title
        For readers.
    inputs
        From a case's values to arrays, always the same.
    ours
        Its implementation here.
    peers
        By name.
    agreement
        Of ours, a peer and that peer's tolerance.
    cases
        The sizes that count.
    quick
        Values of a size that takes a second.
    warm
        From a case's values to those of the run that goes before and is not timed:
        kernels are compiled there.
    untimed
        Further implementations, for the check alone.
    checks
        By peer: who stands for ours and for it in the check, where that is not the
        implementation that is timed.
    """

    title: str
    inputs: Callable[..., Arrays]
    ours: Implementation
    peers: Mapping[str, Implementation]
    agreement: Callable[[Arrays, Arrays, float], Agreement]
    cases: tuple[Case, ...]
    quick: tuple[Any, ...]
    warm: Callable[..., tuple[Any, ...]]
    untimed: Mapping[str, Implementation] = field(default_factory=dict)
    checks: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def implementation(self, name: str) -> Implementation:
        """Return one by name; ours is called ``ours``."""
        return {"ours": self.ours, **self.peers, **self.untimed}[name]
