"""A path that takes no time: a sum in place, a peer with copies, one that fails."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.hot.agree import close
from benchmarks.hot.path import Arrays, Case, Goal, Implementation, Path


def inputs(num: int) -> Arrays:
    return {"values": np.arange(num, dtype=np.float64)}


def in_place(arrays: Arrays, _: int) -> Callable[[], Arrays]:
    def run() -> Arrays:
        values = arrays["values"]
        values += 1
        return {"matrix": values[None]}

    return run


def copies(arrays: Arrays, _: int) -> Callable[[], Arrays]:
    values = arrays["values"][: len(arrays["values"]) // 2]

    def run() -> Arrays:
        kept = [values + number for number in range(4)]
        return {"matrix": kept[1][None] + 0.25}

    return run


def exact(arrays: Arrays, _: int) -> Callable[[], Arrays]:
    return lambda: {"matrix": arrays["values"][None] + 1}


def fails(arrays: Arrays, num: int) -> Callable[[], Arrays]:
    raise ModuleNotFoundError(f"no such peer\n{num} {len(arrays)}")


PATH = Path(
    title="one added",
    inputs=inputs,
    ours=Implementation("crosscam", in_place),
    peers={
        "copies": Implementation("copies of a half", copies, part=lambda _: 0.5),
        "fails": Implementation("fails", fails),
        "small": Implementation("for small sizes", fails, cases=("small",)),
    },
    untimed={"exact": Implementation("exact", exact)},
    checks={"copies": ("ours", "exact")},
    agreement=close,
    cases=(Case("large", (4_000_000,), {"copies": Goal(growth=20)}),),
    quick=(10,),
    warm=lambda _: (10,),
)
