"""A stage as a program: alone or as several processes, and one message if it fails."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import torch.distributed as dist
from torch.distributed.distributed_c10d import Store

from crosscam.helpers import GRACE, LEFT_ALONE, Helper, started, until
from crosscam.processes import (
    FAULT,
    TIMEOUT,
    ProcessesError,
    from_first,
    group,
    is_first,
)
from crosscam.program import alone
from crosscam.runs import remove_noted

JOINS = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # torchrun sets them
ARRIVAL = timedelta(hours=12)  # until the first machine comes to this stage

_met: list[Store] = []  # of the processes that this one has joined


@contextmanager
def as_stage(*errors: type[Exception]) -> Iterator[None]:
    """Log, and let the program end with one line where an error says what to do.

    Of several processes one tells. States of earlier stages whose results DVC has
    noted are removed first.

    Parameters
    ----------
    errors
        Those that say what to do; any other comes with its traceback.

    Raises
    ------
    SystemExit
        With the line.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if helper := Helper.this():
        helper.end_with_first()
    try:
        if not helper:
            remove_noted(Path.cwd())
        yield
    except Exception as error:
        clear = isinstance(error, (*errors, ProcessesError))
        if helper or _joins():
            _end(error, clear=clear)
        if dist.is_initialized():  # with NCCL, which may wait for ever at a normal end
            sys.stderr.write(f"{_text(error, clear=clear)}\n")
            sys.stderr.flush()
            os._exit(1)
        if not clear:
            raise
        raise SystemExit(str(error)) from None


@contextmanager
def several(num: int, module: str) -> Iterator[None]:
    """Be one of several processes for the length of a block, or stay alone.

    Parameters
    ----------
    num
        Processes of this machine; 1 for none beside this one. Where torchrun has
        started this process it is not looked at.
    module
        That the others run: the caller's.

    Raises
    ------
    ProcessesError
        If one of the others ends before its block does, with the reason.
    """
    with ExitStack() as stack:
        if helper := Helper.this():
            store, rank, size = helper.store(), helper.rank, helper.size
            place = rank, size
        elif _joins():
            rank, size, place = _joined()
            store = _rendezvous(ARRIVAL)
        elif num > 1:
            rank, size, place = 0, num, (0, num)
            store = stack.enter_context(started(num, module))
        else:
            size = 1
        if size > 1:
            _met[:] = [store]
            stack.enter_context(group(store, rank, size, place))
        yield


@contextmanager
def alone_together(stage: str) -> Iterator[None]:
    """Be `alone`, of several processes by the first one, for whom the others wait.

    Parameters
    ----------
    stage
        Its name.
    """
    with alone(stage) if is_first() else nullcontext():
        from_first(lambda: None)
        yield


def _joins() -> bool:
    return all(name in os.environ for name in JOINS)


def _joined() -> tuple[int, int, tuple[int, int]]:
    """Return what torchrun says of this process: number, size, and of its machine."""
    rank, size = (int(os.environ[name]) for name in JOINS[:2])
    number = int(os.environ.get("LOCAL_RANK", rank))
    return rank, size, (number, int(os.environ.get("LOCAL_WORLD_SIZE", size)))


def _rendezvous(patience: timedelta) -> Store:
    met = dist.rendezvous("env://", timeout=patience)  # type: ignore[attr-defined]
    store: Store = next(met)[0]
    store.set_timeout(TIMEOUT)
    return store


def _end(error: Exception, *, clear: bool) -> NoReturn:
    """End one of several processes; say why, or leave word for the first to say it."""
    text = _text(error, clear=clear)
    alone, helps = isinstance(error, ProcessesError), bool(Helper.this())
    said = alone and helps
    with suppress(RuntimeError):  # the store has gone
        store = _met[0] if _met else _rendezvous(timedelta(seconds=GRACE))
        if alone and not helps:  # the one that is the reason may say it
            until(lambda: store.check([FAULT]))
        said = said or store.add(f"{FAULT}s", 1) > 1
        if not said:
            store.set(FAULT, text)
    if said and not helps:
        time.sleep(1)  # torchrun ends all as soon as one has ended
    elif not said and not helps:
        sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
    os._exit(LEFT_ALONE if alone else 1)  # NCCL may wait for ever at a normal end


def _text(error: Exception, *, clear: bool) -> str:
    """Return what an error says, with its traceback if that is not clear."""
    return str(error) if clear else "".join(traceback.format_exception(error)).strip()
