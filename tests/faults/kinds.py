"""The kinds of faults: how many of each, how they are drawn and injected."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.faults import limits
from tests.faults.checks import Outcome
from tests.faults.clone import Clone
from tests.faults.kills import Case, plan, run_chain
from tests.faults.limits import FOLDERS, KIB, MIB, Limited, run_limited
from tests.faults.sharing import run_full_remote, run_killed_push

# The workspace is hit more often than the queue, whose runs take longer to repair.
ORDER = ("dvc repro", "dvc exp run", "dvc queue", "dvc repro", "dvc exp run")
CHAIN = 10  # kills
DAY = 24 * 3600
Chain = Callable[[Path], list[Outcome]]


@dataclass
class Job:
    """A part of the campaign: the faults of one kind.

    Parameters
    ----------
    case
        What all begin with.
    number
        Of faults wanted.
    seed
        Of the random draws, with the number of the chain.
    top
        Folder of its copies.
    jobs
        Chains at a time.
    begun
        Chains so far: those of earlier parts are not drawn again.
    """

    case: Case
    number: int
    seed: tuple[int, ...]
    top: Path
    jobs: int
    begun: int = 0

    def rng(self, number: int) -> np.random.Generator:
        """Return the random draws of a chain."""
        return np.random.default_rng((*self.seed, number))


class Kind(NamedTuple):
    """A kind of faults: what injects them, and how many."""

    run: Callable[[Job], Iterator[Outcome]]
    number: int


def until(job: Job, chain_of: Callable[[int], Chain]) -> Iterator[Outcome]:
    """Run chains, numbered on, until there were as many faults as are wanted."""
    done = 0
    running: set[Future[list[Outcome]]] = set()
    with ThreadPoolExecutor(job.jobs) as pool:
        while running or done < job.number:
            while done < job.number and len(running) < job.jobs:
                number, job.begun = job.begun, job.begun + 1
                running.add(pool.submit(chain_of(number), job.top / str(number)))
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for outcome in (each for chain in ended for each in chain.result()):
                # Where nothing comes to a fault any more, this must end, too.
                done += max(outcome.injected, len(outcome.troubles))
                yield outcome


def kills(job: Job) -> Iterator[Outcome]:
    def chain_of(number: int) -> Chain:
        name = ORDER[number % len(ORDER)]
        wanted = plan(job.rng(number), job.case.times, CHAIN)
        return lambda top: run_chain(job.case, name, wanted, top)

    return until(job, chain_of)


def clock(job: Job) -> Iterator[Outcome]:
    def chain_of(number: int) -> Chain:
        name = ORDER[number % 2]
        wanted = plan(job.rng(number), job.case.times, CHAIN // 2)
        return lambda top: run_chain(job.case, name, wanted, top, set_back)

    for outcome in until(job, chain_of):
        outcome.fault = "kill, clock set back a day"
        yield outcome


def set_back(clone: Clone) -> None:
    """Let all files be of tomorrow, which is what a clock set back makes of them."""
    tomorrow = time.time() + DAY
    for path in clone.top.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (tomorrow, tomorrow))


def limited(
    draw: Callable[[Case, np.random.Generator], list[Limited]], job: Job
) -> Iterator[Outcome]:
    """Run commands under faults that are drawn for each chain."""

    def chain_of(number: int) -> Chain:
        name, faults = ORDER[number % 2], draw(job.case, job.rng(number))
        return lambda top: run_limited(job.case, name, faults, top)

    return until(job, chain_of)


def disk_full(case: Case, rng: np.random.Generator) -> list[Limited]:
    rooms = rng.uniform(0, case.grown / 2, 5)
    return [limits.full_disk(int(room)) for room in rooms]


def small_files(case: Case, rng: np.random.Generator) -> list[Limited]:
    sizes = np.exp(rng.uniform(np.log(4 * KIB), np.log(2 * MIB), 5))
    return [limits.small_files(int(size)) for size in sorted(sizes)]


def little_memory(case: Case, rng: np.random.Generator) -> list[Limited]:
    sizes = sorted(rng.uniform(100, 4000, 8))
    return [limits.little_memory(int(size) * MIB) for size in sizes]


def read_only(case: Case, rng: np.random.Generator) -> list[Limited]:
    return [limits.read_only(name) for name in FOLDERS]


def pushes(job: Job) -> Iterator[Outcome]:
    def chain_of(number: int) -> Chain:
        return lambda top: [run_killed_push(job.case, top, job.rng(number))]

    return until(job, chain_of)


def remotes(job: Job) -> Iterator[Outcome]:
    def chain_of(number: int) -> Chain:
        room = int(job.rng(number).uniform(0, job.case.grown / 2))
        return lambda top: [run_full_remote(job.case, top, room)]

    return until(job, chain_of)


KINDS = {
    "kills": Kind(kills, 200),
    "clock": Kind(clock, 10),
    "disk full": Kind(partial(limited, disk_full), 20),
    "file size limit": Kind(partial(limited, small_files), 10),
    "memory limit": Kind(partial(limited, little_memory), 12),
    "read-only folder": Kind(partial(limited, read_only), 14),
    "killed push": Kind(pushes, 10),
    "full remote": Kind(remotes, 6),
}
