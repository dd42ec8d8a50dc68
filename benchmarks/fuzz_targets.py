"""What is fuzzed: sound inputs, and who reads them with which error."""

from __future__ import annotations

import dataclasses
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_type_hints

import numpy as np
import torch
from PIL import Image

from benchmarks.mutations import pick, reworded, spoiled
from crosscam.data.archive import Archive
from crosscam.data.faults import DataError
from crosscam.data.images import decode
from crosscam.data.layout import recognise
from crosscam.data.packed import TEST_COLUMNS, read_index, read_table
from crosscam.data.packing import scan
from crosscam.data.split import split
from crosscam.files import NpzError, read_npz, write_npz, write_safetensors
from crosscam.model.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from crosscam.model.convert.foreign import read_foreign
from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import Architecture, Network
from crosscam.params import ParamsError, parse_params
from crosscam.train.optimise import Phase, TrainingError
from crosscam.train.progress import Progress
from crosscam.train.resume import checksum, read_state
from crosscam.train.state import StateError, restore
from stages import evaluate, extract, inter, intra, synthesize, unzip
from stages import split as split_stage
from tests.hostile.states import RUN, Arrays, sound
from tests.tiny import SETTING, tiny_network
from tests.zips import (
    duke_members,
    jpeg,
    market_members,
    msmt17_members,
    pack,
    write_zip,
)

STAGES = (evaluate, extract, inter, intra, split_stage, synthesize, unzip)


class Target(NamedTuple):
    """Something that reads files of others.

    Parameters
    ----------
    name
        For people.
    draw
        Returns a spoiled input.
    read
        Reads it from a path.
    error
        The only ones that it may raise.
    suffix
        Of the files' names, where the reader goes by it.
    """

    name: str
    draw: Callable[[np.random.Generator], bytes]
    read: Callable[[Path], object]
    error: type[Exception] | tuple[type[Exception], ...]
    suffix: str = ""


def _made(write: Callable[[Path], object]) -> bytes:
    """Return the bytes of a file that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "made")
        return (Path(folder) / "made").read_bytes()


# Zips


@cache
def zips() -> tuple[bytes, ...]:
    """Return small datasets, compressed and not."""
    few = {
        name: data for n, (name, data) in enumerate(market_members().items()) if n % 3
    }
    return tuple(
        _made(lambda path, m=members, how=method: write_zip(path, m, how))
        for members in (few, duke_members(), msmt17_members())
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    )


def read_zip(path: Path) -> None:
    """Do what the stage unzip does before it writes."""
    with Archive(path) as archive:
        listing = recognise(archive.names, archive.read)
        scan(archive, listing.images)
        archive.digests()


# Images


@cache
def images() -> tuple[bytes, ...]:
    """Return a JPEG and PNGs of several kinds."""
    image = Image.open(io.BytesIO(jpeg(0)))
    kinds = [("PNG", mode) for mode in ("RGB", "L", "P", "RGBA", "1")]
    kinds += [("JPEG", mode) for mode in ("RGB", "CMYK")]
    buffers = [(io.BytesIO(), kind, mode) for kind, mode in kinds]
    for buffer, kind, mode in buffers:
        image.convert(mode).save(buffer, kind, progressive=True)
    return (jpeg(0), *(buffer.getvalue() for buffer, _, _ in buffers))


# Parameters


@cache
def params() -> str:
    """Return the default parameters without comments."""
    text = Path("recipes/default.yaml").read_text(encoding="utf-8")
    return "".join(line.partition("  #")[0] + "\n" for line in text.splitlines())


@cache
def schema() -> type:
    """Return the groups of all stages as one class."""
    fields = {f.name: f for stage in STAGES for f in dataclasses.fields(stage.Params)}
    hints: dict[str, object] = {}
    for stage in STAGES:
        hints |= get_type_hints(stage.Params, include_extras=True)
    return dataclasses.make_dataclass(
        "Params", [(name, hints[name]) for name in fields]
    )


def read_params(path: Path) -> None:
    """Read the groups of every stage."""
    parse_params(path.read_text(encoding="utf-8"), schema(), "params.yaml")


# Tables


@cache
def tables() -> tuple[str, str]:
    """Return an index of images, and a table of queries."""
    with tempfile.TemporaryDirectory() as folder:
        index = pack(Path(folder), market_members())
    parts = split(index, (0.0, 1.0), ["train"])
    both = (index, parts.query)
    first, second = (t.to_csv(index=False, lineterminator="\n") for t in both)
    return first, second


def read_tables(path: Path) -> None:
    """Do what the stages split and extract do before they write."""
    if path.read_bytes()[:6] == b"member":
        split(read_index(path), (0.1, 0.9), ["train"])
    else:
        read_table(path, TEST_COLUMNS)


# Arrays and checkpoints


@cache
def arrays() -> bytes:
    """Return an npz of several types."""
    kinds = {"a": np.ones((3, 4), np.float32), "b": np.arange(5), "c": np.array("word")}
    return _made(lambda path: write_npz(path, kinds))


@cache
def checkpoint() -> bytes:
    """Return a checkpoint with a head."""
    torch.manual_seed(0)
    network = Network(Architecture("test_convnext", {}, (32, 32), 2, "gap", "feature"))
    head = Head(network.feature_size, 3, HeadParams("cosine", 16.0), neck=True)
    return _made(lambda path: save_checkpoint(path, network, {0: head}))


def spoiled_checkpoint(rng: np.random.Generator) -> bytes:
    """Return a checkpoint with faults in its header, its metadata or anywhere."""
    data = checkpoint()
    start = 8 + int.from_bytes(data[:8], "little")
    where = pick(rng, ("header", "metadata", "metadata", "anywhere"))
    if where == "anywhere":
        return spoiled(data, rng)
    text = data[8:start].decode()
    if where == "header":
        text = reworded(text, rng)
    else:
        header = json.loads(text)
        metadata = header["__metadata__"]
        metadata["crosscam"] = reworded(metadata["crosscam"], rng)
        text = json.dumps(header)
    encoded = text.encode(errors="replace")
    return len(encoded).to_bytes(8, "little") + encoded + data[start:]


# States of unfinished runs

KEY = Path(RUN).name


@cache
def state() -> tuple[Arrays, dict[str, object]]:
    """Return what a sound one holds: arrays by name, and what is said about them."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(sound())
        file.flush()
        tensors, about = read_state(Path(file.name), KEY)
        return {name: t.numpy().copy() for name, t in tensors.items()}, {**about}


def spoiled_state(rng: np.random.Generator) -> bytes:
    """Return a state with faults anywhere, or with a sum that says there are none."""
    if rng.random() < 0.2:
        return spoiled(sound(), rng)
    arrays, about = ({**part} for part in state())
    if forge_arrays := rng.random() < 0.5:
        _change(arrays, rng)
    text = json.dumps(about) if forge_arrays else reworded(json.dumps(about), rng)
    with suppress(TypeError, ValueError):  # it is no JSON any more, or no dict
        about = json.loads(text)
        text = json.dumps({**about, "sum": checksum(arrays, about)})
    metadata = {"crosscam": text.encode(errors="replace").decode()}
    return _made(lambda path: write_safetensors(path, arrays, metadata))


def _change(arrays: Arrays, rng: np.random.Generator) -> None:
    """Take out, rename, cut, retype or fill a few arrays."""
    for name in rng.choice(sorted(arrays), rng.integers(1, 4), replace=False):
        array = arrays.pop(name)
        kind = pick(rng, ("f2", "f8", "i4", "i8", "u1", "?"))
        changed = {
            "taken out": {},
            "renamed": {pick(rng, sorted(arrays)): array},
            "cut": {name: array.reshape(-1)[: rng.integers(0, 9)]},
            "in one row": {name: array.reshape(1, -1)},
            "of another type": {name: array.astype(kind)},
            "full": {name: np.full_like(array, pick(rng, (0, -1, 127)))},
        }
        arrays |= changed[pick(rng, tuple(changed))]


def read_run(path: Path) -> None:
    """Do what a training stage does before it goes on with a run."""
    progress = Progress(tiny_network())
    restore(progress, *read_state(path, KEY), SETTING.head)
    heads = progress.rounds[-1][1].heads.values()
    phase = Phase(progress.network, heads, SETTING.optim, lr=0.002, num_epochs=2)
    phase.restore(progress.optimizer_state or {})


@cache
def foreign() -> tuple[bytes, ...]:
    """Return checkpoints of torch, in its new and its old form."""
    state = {"state_dict": {"a": torch.ones(3, 4), "b": torch.arange(3)}, "epoch": 3}
    return tuple(
        _made(
            lambda path, new=form: torch.save(
                state, path, _use_new_zipfile_serialization=new
            )
        )
        for form in (True, False)
    )


TARGETS = (
    Target("zips", lambda rng: spoiled(pick(rng, zips()), rng), read_zip, DataError),
    Target(
        "images",
        lambda rng: spoiled(pick(rng, images()), rng),
        lambda path: decode(path.read_bytes(), (16, 8)),
        DataError,
    ),
    Target(
        "params",
        lambda rng: reworded(params(), rng).encode(errors="replace"),
        read_params,
        ParamsError,
    ),
    Target(
        "tables",
        lambda rng: reworded(pick(rng, tables()), rng).encode(errors="replace"),
        read_tables,
        DataError,
    ),
    Target("arrays", lambda rng: spoiled(arrays(), rng), read_npz, NpzError),
    Target("checkpoints", spoiled_checkpoint, load_checkpoint, CheckpointError),
    Target("states", spoiled_state, read_run, (StateError, TrainingError)),
    Target(
        "foreign checkpoints",
        lambda rng: spoiled(pick(rng, foreign()), rng),
        read_foreign,
        CheckpointError,
        ".pth",
    ),
)
