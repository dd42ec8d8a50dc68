"""States of unfinished runs that are not taken up: put aside, and the run starts anew.

Each builder spoils a sound state, which has a file of its own in the run's folder.
"""

from __future__ import annotations

import functools
import json
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from crosscam.files import write_safetensors
from crosscam.train.progress import Progress
from crosscam.train.resume import KeptRun, checksum, read_state
from tests.tiny import SETTING, kept_state, tiny_network

RUN = ".runs/intra-0123456789abcdef"
Arrays = dict[str, np.ndarray]
About = dict[str, Any]


@functools.cache
def sound() -> bytes:
    """Return the state of a round of two epochs."""
    with tempfile.TemporaryDirectory() as folder:
        return kept_state(Path(folder, Path(RUN).name)).read_bytes()


def taken_up(parent: Path, build: Callable[[Path], None]) -> tuple[str, Progress]:
    """Begin a run beside a spoiled state of it; return what is said, and the run."""
    file = parent / RUN / "state.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(sound())
    build(file)
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("crosscam.train.resume")
    log.addHandler(handler)
    try:
        progress = KeptRun(file.parent).progress(tiny_network(), SETTING.head)
    finally:
        log.removeHandler(handler)
    return "\n".join(told).replace(f"{parent}/", ""), progress


def forged(
    file: Path,
    tensors: Callable[[Arrays], Any] = len,
    about: Callable[[About], Any] = len,
) -> None:
    """Write a state that was changed in place, with the sum that belongs to it."""
    found, metadata = read_state(file, file.parent.name)
    arrays = {name: tensor.numpy() for name, tensor in found.items()}
    changed: About = json.loads(json.dumps(metadata))
    tensors(arrays)
    about(changed)
    changed["sum"] = checksum(arrays, changed)
    file.unlink()  # the arrays are those of this file
    write_safetensors(file, arrays, {"crosscam": json.dumps(changed)})


# Damaged


def state_without_a_byte(file: Path) -> None:
    """A file without a byte, as a file system leaves it that lost its power."""
    file.write_bytes(b"")


def state_cut_short(file: Path) -> None:
    """A state without its last byte."""
    file.write_bytes(sound()[:-1])


def state_with_a_flipped_bit(file: Path) -> None:
    """One bit among a million of the tensors is another one."""
    data = bytearray(sound())
    data[-5000] ^= 1
    file.write_bytes(data)


def state_with_another_digit(file: Path) -> None:
    """The number of the round is another one."""
    data = sound()
    place = data.index(b'[[[\\"intra\\", 0, 1')
    file.write_bytes(data[:place] + data[place:].replace(b", 0, 1", b", 1, 1", 1))


def state_of_text(file: Path) -> None:
    """A text under the name of a state."""
    file.write_text("to be continued")


def state_of_brackets(file: Path) -> None:
    """Metadata of lists in lists, a hundred thousand deep."""
    write_safetensors(file, {"a": np.zeros(1)}, {"crosscam": "[" * 100_000})


def state_without_metadata(file: Path) -> None:
    """A safetensors file that does not say what it is."""
    write_safetensors(file, {"a": np.zeros(1)}, {})


def state_of_a_list(file: Path) -> None:
    """Metadata that are a list."""
    write_safetensors(file, {"a": np.zeros(1)}, {"crosscam": "[1]"})


# Of something else


def state_of_another_run(file: Path) -> None:
    """The state of a run with other parameters, copied here."""
    forged(file, about=lambda a: a.update(key="intra-fedcba9876543210"))


def state_of_another_format(file: Path) -> None:
    """The state of a program that is to come."""
    forged(file, about=lambda a: a.update(format="crosscam-run-2"))


def state_whose_format_is_a_number(file: Path) -> None:
    """A format that is no text."""
    forged(file, about=lambda a: a.update(format=5))


def state_of_another_network(file: Path) -> None:
    """Weights of a network with other shapes."""
    forged(file, lambda t: t.update({"network.neck.weight": np.zeros(3, np.float32)}))


def state_in_double_precision(file: Path) -> None:
    """A weight of another type."""
    name = "network.neck.weight"
    forged(file, lambda t: t.update({name: t[name].astype(np.float64)}))


# Forged: the sum is right


def state_without_rounds(file: Path) -> None:
    """No round at all."""
    forged(file, about=lambda a: a.update(rounds=[]))


def state_without_cameras(file: Path) -> None:
    """No list of cameras."""
    forged(file, about=lambda a: a.pop("cameras"))


def state_of_a_camera_too_many(file: Path) -> None:
    """A camera that has no head."""
    forged(file, about=lambda a: a.update(cameras=[0, 1, 2, 9]))


def state_of_cameras_in_words(file: Path) -> None:
    """Cameras that are texts."""
    forged(file, about=lambda a: a.update(cameras=["0", "1", "2"]))


def state_with_a_short_position(file: Path) -> None:
    """A round that stands nowhere."""
    forged(file, about=lambda a: a["rounds"][0].__setitem__(0, ["intra", 0]))


def state_with_half_a_round(file: Path) -> None:
    """A number of a round that is none."""
    forged(file, about=lambda a: a["rounds"][0][0].__setitem__(1, 0.5))


def state_with_a_loss_of_nan(file: Path) -> None:
    """An epoch whose loss is no number, which a run cannot have."""
    forged(file, about=lambda a: a["rounds"][0][2][0].__setitem__(0, float("nan")))


def state_without_labels(file: Path) -> None:
    """A round without its labels."""
    forged(file, lambda t: t.pop("labels.0"))


def state_with_labels_in_a_table(file: Path) -> None:
    """Labels in two dimensions."""
    forged(file, lambda t: t.update({"labels.0": np.zeros((45, 1), np.int32)}))


def state_with_labels_of_fractions(file: Path) -> None:
    """Labels that are no whole numbers."""
    forged(file, lambda t: t.update({"labels.0": np.zeros(45)}))


def state_with_labels_of_no_cluster(file: Path) -> None:
    """Labels of more clusters than there are."""
    forged(file, lambda t: t.update({"labels.0": np.full(45, 10**6, np.int32)}))


def state_with_a_head_of_no_class(file: Path) -> None:
    """A head without a class."""
    name = "heads.0.weight"
    forged(file, lambda t: t.update({name: t[name][:0]}))


def state_with_a_head_of_a_million_classes(file: Path) -> None:
    """Weights of a head in one dimension: a table of them would take gigabytes."""
    forged(file, lambda t: t.update({"heads.0.weight": np.zeros(10**6, np.float32)}))


STATES = (
    state_without_a_byte,
    state_cut_short,
    state_with_a_flipped_bit,
    state_with_another_digit,
    state_of_text,
    state_of_brackets,
    state_without_metadata,
    state_of_a_list,
    state_of_another_run,
    state_of_another_format,
    state_whose_format_is_a_number,
    state_of_another_network,
    state_in_double_precision,
    state_without_rounds,
    state_without_cameras,
    state_of_a_camera_too_many,
    state_of_cameras_in_words,
    state_with_a_short_position,
    state_with_half_a_round,
    state_with_a_loss_of_nan,
    state_without_labels,
    state_with_labels_in_a_table,
    state_with_labels_of_fractions,
    state_with_labels_of_no_cluster,
    state_with_a_head_of_no_class,
    state_with_a_head_of_a_million_classes,
)
