"""What each of several processes takes of a batch, and how the whole comes together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor

from crosscam.params import ParamsError
from crosscam.processes import is_first, rank, send_rows, total_, world_size

_batches: list[int] = []  # images of the batch under way


@contextmanager
def dealt(num_images: int) -> Iterator[None]:
    """Deal a batch of so many images to the processes, for the length of a block.

    Of one with fewer images than processes each process takes all, as if it were alone.
    """
    _batches.append(num_images)
    try:
        yield
    finally:
        _batches.pop()


def check_batch(num_images: int, key: str) -> None:
    """Raise unless a batch has an image for each process.

    Parameters
    ----------
    num_images
        In a whole batch; the last one of an epoch may have fewer.
    key
        Of the parameters that say so.

    Raises
    ------
    ParamsError
        If it has not.
    """
    if num_images < world_size():
        raise ParamsError(
            f"{key}: a batch must have an image for each of {world_size()} processes, "
            f"got {num_images}: raise it, or lower compute.processes"
        )


def is_dealt() -> bool:
    """Return whether this process has but a part of the batch under way."""
    return world_size() > 1 and not (_batches and _batches[-1] < world_size())


def images_of_batch(num_here: int) -> int:
    """Return the images of the batch under way, as many of which are in this process.

    Raises
    ------
    RuntimeError
        If there are others and no batch is under way: that must not go unnoticed.
    """
    if world_size() > 1 and not _batches:
        raise RuntimeError("a layer looks at the whole batch outside of `dealt`")
    return _batches[-1] if is_dealt() else num_here


def part(num: int) -> slice:
    """Return this process's part of so many things: in order, equal but for one."""
    return _part(rank(), num) if is_dealt() else slice(0, num)


def _part(number: int, num: int) -> slice:
    return slice(number * num // world_size(), (number + 1) * num // world_size())


def passes(num: int, size: int) -> range:
    """Return where this process's passes over so many images start.

    Parameters
    ----------
    num
        Images, those of all processes.
    size
        Images in a pass; the last one can have fewer. A process takes whole passes: an
        image is beside the same others whatever the number of processes is.
    """
    return _passes(rank(), num, size)


def _passes(number: int, num: int, size: int) -> range:
    starts = range(0, num, size)
    return starts[_part(number, len(starts))]


def filled(every: Tensor, size: int = 1) -> Tensor:
    """Bring the rows of which each process has some to all of them; return `every`.

    Parameters
    ----------
    every
        (num, …), in C order; the rows of this process's `passes` are set.
    size
        Of a pass.
    """
    for number in range(world_size() if world_size() > 1 else 0):
        if len(rows := _rows(every, number, size)):
            send_rows(rows, number, everywhere=True)
    return every


def _rows(every: Tensor, number: int, size: int) -> Tensor:
    """Return the rows that a process has, as a view."""
    starts = _passes(number, len(every), size)
    return every[starts.start : starts.stop] if starts else every[:0]


def collected(local: Tensor, num: int, size: int) -> Tensor:
    """Return the rows of all passes over `num` images, in all processes."""
    if world_size() == 1:
        return local
    every = local.new_empty(num, *local.shape[1:])
    _rows(every, rank(), size).copy_(local)
    return filled(every, size)


def at_first(local: Tensor, num: int, size: int) -> Tensor:
    """Return the rows of all passes in the first process, in others their own.

    A process that needs but its own has no room for all: score vectors are large.
    """
    if not is_first():
        if len(local):
            send_rows(local, rank(), everywhere=False)
        return local
    if world_size() == 1:
        return local
    every = local.new_empty(num, *local.shape[1:])
    _rows(every, 0, size).copy_(local)
    for number in range(1, world_size()):
        if len(rows := _rows(every, number, size)):
            send_rows(rows, number, everywhere=False)
    return every


def gathered(local: Tensor, num: int) -> Tensor:
    """Return all rows of a batch, in order; gradients go into one's own rows alone.

    Parameters
    ----------
    local
        This process's rows: those of `part`.
    num
        Rows of the whole batch.
    """
    if not is_dealt():
        return local
    own, every = part(num), local.new_empty(num, *local.shape[1:])
    every[own] = local.detach()
    filled(every)
    return torch.cat([every[: own.start], local, every[own.stop :]])


def summed(values: Tensor) -> Tensor:
    """Return the sum over all parts of a batch.

    It can be differentiated: what the sum is worth to any process comes back to each.
    """
    if not is_dealt():
        return values
    return cast("Tensor", _Summed.apply(values))


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        return total_(values.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return total_(gradient.clone(memory_format=torch.contiguous_format))
