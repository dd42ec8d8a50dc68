"""Spoiled files by the thousand: each is read, or refused by the error of its reader.

Run ``python -m benchmarks.fuzz --minutes 10 --seed 0``. Prints how many inputs each
reader has had, how many it took and refused, and how many made it raise another error,
warn or take longer than `SLOW` seconds. These are kept in reports/fuzz/ (which git
ignores), and the status is 1.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import numpy as np

from benchmarks.fuzz_targets import TARGETS, Target

CRASHES = Path("reports/fuzz")
SLOW = 20  # seconds


class Result(NamedTuple):
    """How many inputs a target took and refused, and what it stumbled over."""

    taken: int
    refused: int
    crashes: dict[str, bytes]

    @property
    def executions(self) -> int:
        """All inputs, those that were stumbled over among them."""
        return self.taken + self.refused + len(self.crashes)


def fuzz(target: Target, seed: int, seconds: float, limit: int | None = None) -> Result:
    """Feed spoiled inputs to a target.

    Parameters
    ----------
    target
        What reads them.
    seed
        Input k of a seed is always the same.
    seconds
        When to stop.
    limit
        After how many inputs to stop, at the latest.
    """
    counts: Counter[str] = Counter()
    crashes: dict[str, bytes] = {}
    stop = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"input{target.suffix}"
        for number in itertools.count() if limit is None else range(limit):
            if time.monotonic() > stop:
                break
            data = target.draw(np.random.default_rng((seed, number)))
            path.write_bytes(data)
            said = _said(target, path)
            counts[said] += 1
            if said not in {"taken", "refused"}:
                crashes[f"{target.name} {seed} {number}\n{said}"] = data
    return Result(counts["taken"], counts["refused"], crashes)


def _said(target: Target, path: Path) -> str:
    try:
        with _alarm(), warnings.catch_warnings():
            warnings.simplefilter("error")  # what would appear beside the error
            target.read(path)
    except target.error:
        return "refused"
    except Exception:  # noqa: BLE001 (any other one is what is looked for)
        return traceback.format_exc(limit=-4)
    return "taken"


@contextmanager
def _alarm() -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {SLOW} s, signal {number} at {frame}")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SLOW)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def keep(crashes: dict[str, bytes]) -> None:
    """Write inputs and what was raised, of each kind of error one."""
    kinds = {said.splitlines()[-1][:60]: said for said in crashes}
    for said in kinds.values():
        path = CRASHES / said.partition("\n")[0].replace(" ", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(crashes[said])
        path.with_suffix(".txt").write_text(said)
        print(f"{path}: {said.splitlines()[-1][:200]}")


def main() -> None:
    """Fuzz all targets and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="of all targets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[target.name for target in TARGETS])
    p = parser.parse_args()
    targets = [target for target in TARGETS if p.only in {None, target.name}]
    rows = ["| reader | inputs | taken | refused | crashes |", "|---|--:|--:|--:|--:|"]
    crashed = 0
    for target in targets:
        found = fuzz(target, p.seed, 60 * p.minutes / len(targets))
        keep(found.crashes)
        numbers = (found.executions, found.taken, found.refused, len(found.crashes))
        rows.append(f"| {target.name} | {' | '.join(f'{n:,}' for n in numbers)} |")
        crashed += len(found.crashes)
    print("\n".join(rows))
    raise SystemExit(min(crashed, 1))


if __name__ == "__main__":
    main()
