"""Runs on disk: kept after every epoch, taken up again, gone when DVC has the results.

A run's state is one safetensors file in a folder named by all that the run depends on.
It lies outside DVC, which deletes the outputs of a stage before it runs it.
"""

from __future__ import annotations

import json
import logging
import math
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from crosscam.files import write_safetensors
from crosscam.locks import locked, remove_stale
from crosscam.model.heads import HeadParams
from crosscam.model.network import Network
from crosscam.params import shown
from crosscam.processes import from_first, is_first
from crosscam.program import alone
from crosscam.room import check_disk
from crosscam.runs import mark_finished, runs_folder, workspace_runs
from crosscam.train.progress import Progress
from crosscam.train.run_key import run_key
from crosscam.train.state import StateError, restore, state_of

log = logging.getLogger(__name__)

State = tuple[dict[str, Tensor], Mapping[str, Any]]  # tensors, and what is about them
FORMAT = "crosscam-run-1"
# Two old states and a new one, of weights and two moments each, and heads.
STATES = 11
# Seconds between states that outlive the machine's power. To wait for the disk took
# 0.05 s for the 23 MB of the default recipe, on a busy machine; an epoch takes seconds.
SYNCED = 30


class ResumeError(OSError):
    """The state of a run cannot be written; the message says what to do."""


class KeptRun:
    """A run whose state is kept in a folder.

    Parameters
    ----------
    folder
        Named by the run's key.
    """

    def __init__(self, folder: Path) -> None:
        self.key = folder.name
        self.file = folder / "state.safetensors"
        # The last one that waited for the disk. Not every file system (XFS) writes a
        # file's data before the file takes another one's name: without power, the
        # state after it may be lost, and the one before it with it.
        self.safe = folder / "safe.safetensors"
        self._synced = -math.inf

    def progress(self, network: Network, params: HeadParams) -> Progress:
        """Return how far the run has come: nowhere, or as far as its state says.

        A state that is damaged, or is not this run's, is put aside, and said so. One
        that cannot be read, as a disk does not answer, stays where it is.

        Parameters
        ----------
        network
            As the run starts from; gets the weights of the state.
        params
            Of the heads.

        Raises
        ------
        RoomError
            If the disk has no room for states.
        OSError
            If a state is there and cannot be read.
        """
        progress = Progress(network, self.keep)
        weights = sum(tensor.nbytes for tensor in network.state_dict().values())
        folder = self.file.parent
        from_first(
            lambda: check_disk(
                folder, STATES * weights, "the state of an unfinished run"
            )
        )
        for file in (self.file, self.safe):
            if self._taken_up(file, progress, params):
                position, done = progress.rounds[-1]
                log.info(
                    "going on after %s round %d/%d epoch %d",
                    position.name,
                    done.number,
                    position.num_rounds,
                    len(done.epochs),
                )
                break
        return progress

    def _taken_up(self, file: Path, progress: Progress, params: HeadParams) -> bool:
        """Take a run to the state in a file; return if there is one, of this run."""
        state = from_first(lambda: self._state(file))
        if state is None:
            return False
        try:
            restore(progress, *state, params)
        except StateError as error:
            self._put_aside(file, error)
            return False
        return True

    def _state(self, file: Path) -> State | None:
        try:
            return read_state(file, self.key) if file.exists() else None
        except StateError as error:
            self._put_aside(file, error)
            return None

    def _put_aside(self, file: Path, error: StateError) -> None:
        aside = file.parent.with_suffix(f".{file.stem}.unusable")
        if is_first():
            file.replace(aside)
        log.warning("%s: not used, %s: is now %s", file, error, aside)

    def keep(self, progress: Progress) -> None:
        """Write the state in place of the one before; the first process does.

        Raises
        ------
        ResumeError
            If it cannot be written; the one before is whole.
        """
        if not is_first():
            return
        arrays, about = state_of(progress)
        about |= {"format": FORMAT, "key": self.key}
        about["sum"] = checksum(arrays, about)
        metadata, now = {"crosscam": json.dumps(about)}, time.monotonic()
        synced = now - self._synced > SYNCED
        try:
            write_safetensors(self.file, arrays, metadata, synced=synced)
        except OSError as error:
            raise ResumeError(
                f"{self.file}: cannot be written, {error.strerror}: see to that and "
                "repeat the command: it goes on after the last whole epoch"
            ) from error
        if synced:
            self._synced = now
            self.safe.unlink(missing_ok=True)
            with suppress(OSError):  # a file system without links has the state alone
                self.safe.hardlink_to(self.file)


def read_state(file: Path, key: str) -> State:
    """Return what `KeptRun.keep` wrote.

    Parameters
    ----------
    file
        The state.
    key
        Of the run that it must be of.

    Raises
    ------
    StateError
        If it is no such file, is of another run, or is not as it was written.
    OSError
        If the file cannot be read.
    """
    # Else a disk that does not answer would pass for a damaged file, and a day of
    # training be put aside.
    with file.open("rb") as there:
        there.read(1)
    try:
        with safe_open(file, framework="pt") as opened:
            about = json.loads((opened.metadata() or {})["crosscam"])
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (not a dict)
        found = about["format"], about["key"]
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    except (SafetensorError, ValueError) as error:
        raise StateError(f"it is no state of a run, {error}") from error
    except (KeyError, RecursionError, TypeError) as error:
        raise StateError("it is no state of a run but holds something else") from error
    if found != (FORMAT, key):
        raise StateError(
            f"it must be {FORMAT} of {key}, got {' of '.join(map(shown, found))}"
        )
    if checksum(arrays, about) != about.get("sum"):
        raise StateError("it is damaged, its sum is not the one it was written with")
    return tensors, about


def checksum(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> int:
    """Return the CRC-32 over what is about arrays, but a sum, their names and bytes.

    In order of the names.
    """
    plain = {name: value for name, value in about.items() if name != "sum"}
    total = zlib.crc32(json.dumps(plain, sort_keys=True).encode())
    for name in sorted(arrays):
        total = zlib.crc32(name.encode(), total)
        total = zlib.crc32(np.ascontiguousarray(arrays[name]).data, total)
    return total


@contextmanager
def kept_run(
    stage: str, params: Any, data: Sequence[Path], device: torch.device, result: Path
) -> Iterator[KeptRun]:
    """Hold a run: its state stays if the block raises, and else until DVC has noted it.

    Waits while another process trains the same run anywhere, or the same stage in
    this workspace: one that outlived its `dvc repro` would write over the results of
    the next. Of several processes the first one does all of this.

    Parameters
    ----------
    stage, params, data, device
        As for `run_key`; the workspace is the current folder.
    result
        That the block writes; see `mark_finished`.
    """
    if not is_first():
        from_first(lambda: None)  # it may have to wait
        yield KeptRun(Path(stage))
        return
    workspace = Path.cwd()
    runs, key = runs_folder(workspace), run_key(stage, params, data, device, workspace)
    folder = runs / key
    for each in sorted({runs, workspace_runs(workspace)}):
        remove_stale(each)
    with alone(stage, workspace), locked(runs / f"{key}.lock"):
        folder.mkdir(exist_ok=True)
        for cut_off in sorted(folder.glob(".*.tmp")):
            cut_off.unlink()
        try:
            from_first(lambda: None)
            yield KeptRun(folder)
        except BaseException:
            with suppress(OSError):  # not empty: it stays
                folder.rmdir()
            raise
        mark_finished(folder, result)
