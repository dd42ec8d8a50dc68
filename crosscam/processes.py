"""One run on several processes: who there is, and what goes between them.

All processes do the same steps with the same values; `crosscam.shares` deals out what
takes long. In a process that is alone nothing here changes anything, to the last bit.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import Store

T = TypeVar("T")

# For a machine that vanishes: a process that ends is noticed by its connections. What
# the first one does alone, such as clustering, may take longer (see `from_first`).
TIMEOUT = timedelta(minutes=30)
PAUSE = 0.02  # seconds between two looks at whether the first process is ready
FAULT = "fault"  # in the store: why a process has ended


class ProcessesError(RuntimeError):
    """Another process of this run has ended, or does not answer."""


@dataclass
class _Group:
    rank: int = 0
    size: int = 1
    place: tuple[int, int] = (0, 1)
    store: Store | None = None
    made: int = 0


_group = _Group()


def world_size() -> int:
    """Return the number of processes of this run."""
    return _group.size


def rank() -> int:
    """Return the number of this process, from 0."""
    return _group.rank


def is_first() -> bool:
    """Return whether this process is the one that clusters, logs and writes."""
    return _group.rank == 0


def place_on_machine() -> tuple[int, int]:
    """Return this process's number on its machine, from 0, and how many there are."""
    return _group.place


@contextmanager
def group(store: Store, rank: int, size: int, place: tuple[int, int]) -> Iterator[None]:
    """Be one of several processes for the length of a block.

    Parameters
    ----------
    store
        That all of them have, with nothing in it.
    rank, size
        Number of this process, from 0, and of all.
    place
        Likewise of those of this machine.

    Raises
    ------
    ProcessesError
        If one of the others ends before its block does.
    """
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    hook = sys.excepthook
    own = dist.PrefixStore("group", store)  # type: ignore[attr-defined]
    with answered():
        dist.init_process_group(
            backend, store=own, rank=rank, world_size=size, timeout=TIMEOUT
        )
    vars(_group).update(vars(_Group(rank, size, place, store)))
    if not is_first():
        logging.disable()
    try:
        total_(torch.zeros(1))  # all have met
        yield
        with suppress(ProcessesError):  # all is done
            total_(torch.zeros(1))
    finally:
        logging.disable(logging.NOTSET)
        vars(_group).update(vars(_Group()))
        sys.excepthook = hook  # torch puts its own in its place
        if backend == "gloo" or not sys.exc_info()[0]:  # else NCCL may wait for ever
            dist.destroy_process_group()


@contextmanager
def answered() -> Iterator[None]:
    """Turn what torch raises if another process does not answer into one error."""
    try:
        yield
    except RuntimeError as error:
        said = str(error).partition(". ")[0]
        raise ProcessesError(
            f"another process of this run has ended, or does not answer: {said}"
        ) from error


def total_(values: Tensor) -> Tensor:
    """Put the sum over all processes in the place of values; return it."""
    if _group.size > 1:
        with answered():
            dist.all_reduce(values)
    return values


def send_rows(rows: Tensor, sender: int, *, everywhere: bool) -> None:
    """Bring rows from one process to all others, or to the first one, in place.

    Parameters
    ----------
    rows
        In C order; of the same shape in all processes.
    sender
        Number of the process that has them.
    everywhere
        Whether all get them.
    """
    with answered():
        if everywhere:
            dist.broadcast(rows, sender)
        elif sender > 0 and is_first():
            dist.recv(rows, sender)
        elif sender > 0 and sender == _group.rank:
            dist.send(rows, 0)


def copied(tensors: Iterable[Tensor]) -> None:
    """Put the first process's values into the tensors of all."""
    for tensor in tensors if _group.size > 1 else ():
        values = tensor.detach().contiguous()
        send_rows(values, 0, everywhere=True)
        tensor.detach().copy_(values)


def from_first(make: Callable[[], T]) -> T:
    """Return what the first process makes, in all of them; the others wait.

    Parameters
    ----------
    make
        Returns what can be pickled; may take hours.

    Raises
    ------
    ProcessesError
        If another process ends meanwhile.
    """
    if _group.store is None:
        return make()
    _group.made += 1
    values, key = [make() if is_first() else None], f"made {_group.made}"
    with answered():
        if is_first():
            _group.store.set(key, "")
        while not _group.store.check([key]):
            if _group.store.check([FAULT]):
                raise ProcessesError("another process of this run has ended")
            time.sleep(PAUSE)
        dist.broadcast_object_list(values, 0, device=torch.device("cpu"))
    return cast("T", values[0])
