"""Checkpoints that must be refused: our own, to evaluate, and weights to start from."""

from __future__ import annotations

import functools
import json
import os
import pickle
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import timm
import torch
from safetensors import safe_open

from crosscam.files import write_safetensors
from crosscam.model.checkpoint import save_checkpoint
from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import Architecture, Network
from tests.hostile.case import cases
from tests.hostile.params import edited

OWN = "models/own.safetensors"
WEIGHTS = "models/weights/own.safetensors"
TINY = Architecture("test_convnext", {}, (64, 32), 2, "gap", "feature")
Arrays = dict[str, np.ndarray]


class Evil:
    """Makes whoever unpickles it write a file beside the workspace."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch ../canary/evil",))


def named(folder: Path) -> Path:
    """Let the stage extract evaluate a checkpoint, and return its path."""
    edited(folder, "checkpoint: none", "checkpoint: own.safetensors")
    return folder / OWN


@functools.cache
def sound() -> bytes:
    """Return a checkpoint with a head."""
    torch.manual_seed(0)
    network = Network(TINY)
    head = Head(network.feature_size, 4, HeadParams("cosine", 16.0), neck=True)
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder, "sound"), network, {0: head})
        return Path(folder, "sound").read_bytes()


def spoiled(
    folder: Path,
    tensors: Callable[[Arrays], Any] = len,
    about: Callable[[dict[str, Any]], Any] = len,
) -> None:
    """Write a checkpoint whose tensors or metadata were changed in place."""
    path, data = named(folder), sound()
    start = 8 + int.from_bytes(data[:8], "little")
    arrays = safetensors.numpy.load(data)
    metadata = json.loads(json.loads(data[8:start])["__metadata__"]["crosscam"])
    tensors(arrays)
    about(metadata)
    write_safetensors(path, arrays, {"crosscam": json.dumps(metadata)})


# The container


def no_checkpoint(folder: Path) -> None:
    """A name of no file."""
    named(folder)


def pickled_code(folder: Path) -> None:
    """A pickle with code in it under the name of a checkpoint."""
    named(folder).write_bytes(pickle.dumps({"state_dict": Evil()}))


def torch_file_of_code(folder: Path) -> None:
    """A file of torch.save with code in it under the name of a checkpoint."""
    torch.save({"state_dict": Evil()}, named(folder))


def checkpoint_cut_short(folder: Path) -> None:
    """A checkpoint without its last bytes."""
    named(folder).write_bytes(sound()[:-100])


def checkpoint_without_a_byte(folder: Path) -> None:
    """A file without a byte."""
    named(folder).write_bytes(b"")


def header_of_exabytes(folder: Path) -> None:
    """A header that claims to be 9 exabytes long."""
    named(folder).write_bytes(struct.pack("<Q", 2**63 - 1) + b"{}")


def with_header(folder: Path, header: str, data: bytes = b"") -> None:
    """Write a safetensors file with this header."""
    text = header.encode()
    named(folder).write_bytes(len(text).to_bytes(8, "little") + text + data)


def header_of_brackets(folder: Path) -> None:
    """A header of lists in lists, ten thousand deep."""
    with_header(folder, "[" * 10_000)


def tensor_behind_a_hole(folder: Path) -> None:
    """A tensor before which there are bytes of no tensor."""
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]}
    with_header(folder, json.dumps({"a": entry}), bytes(16))


def tensor_of_petabytes(folder: Path) -> None:
    """A tensor whose shape claims more than there is."""
    entry = {"dtype": "F32", "shape": [10**9, 10**6], "data_offsets": [0, 8]}
    with_header(folder, json.dumps({"a": entry}), bytes(8))


# What the metadata say


def checkpoint_of_others(folder: Path) -> None:
    """The weights of timm, which are no checkpoint of this project."""
    write_safetensors(named(folder), timm_state(), {"format": "pt"})


def other_format(folder: Path) -> None:
    """A checkpoint of a format to come."""
    spoiled(folder, about=lambda about: about.update(format="crosscam-2"))


def metadata_cut_short(folder: Path) -> None:
    """Metadata that are not closed."""
    write_safetensors(named(folder), timm_state(), {"crosscam": '{"format": '})


def metadata_of_brackets(folder: Path) -> None:
    """Metadata of lists in lists, a hundred thousand deep."""
    write_safetensors(named(folder), {}, {"crosscam": "[" * 100_000})


def metadata_that_are_a_list(folder: Path) -> None:
    """Metadata that are a list."""
    write_safetensors(named(folder), {}, {"crosscam": "[1, 2]"})


def no_architecture(folder: Path) -> None:
    """Metadata without the architecture."""
    spoiled(folder, about=lambda about: about.pop("architecture"))


def architecture_of_nonsense(folder: Path) -> None:
    """Three values of the architecture that make no sense, all told at once."""

    def change(about: dict[str, Any]) -> None:
        nonsense = {"image_size": "big", "last_stride": 7, "poolin": "gap"}
        about["architecture"].update(nonsense)

    spoiled(folder, about=change)


def backbone_of_nobody(folder: Path) -> None:
    """A backbone that timm does not have."""
    spoiled(folder, about=lambda about: about["architecture"].update(backbone="evil"))


def weights_of_ones_own_choice(folder: Path) -> None:
    """Options that make timm download weights."""
    options = {"pretrained": True}
    spoiled(folder, about=lambda about: about["architecture"].update(options=options))


def images_of_a_gigapixel(folder: Path) -> None:
    """A network for images of 50,000 × 50,000 pixels."""
    size = [50_000, 50_000]
    spoiled(folder, about=lambda about: about["architecture"].update(image_size=size))


def network_of_terabytes(folder: Path) -> None:
    """Options that make the network a million channels wide."""
    options = {"dims": [10**6] * 4}
    spoiled(folder, about=lambda about: about["architecture"].update(options=options))


def head_of_terabytes(folder: Path) -> None:
    """A head of five billion classes."""
    spoiled(
        folder, about=lambda about: about["heads"]["0"].update(num_classes=5 * 10**9)
    )


def head_of_no_camera(folder: Path) -> None:
    """A head whose camera is no number."""
    spoiled(folder, about=lambda a: a["heads"].update(front=a["heads"].pop("0")))


def negative_classes(folder: Path) -> None:
    """A head of -1 classes."""
    spoiled(folder, about=lambda about: about["heads"]["0"].update(num_classes=-1))


# The tensors


def missing_tensors(folder: Path) -> None:
    """A checkpoint without its head's weights."""
    spoiled(folder, lambda arrays: arrays.pop("heads.0.weight"))


def tensors_in_excess(folder: Path) -> None:
    """A tensor that the network does not have."""
    spoiled(folder, lambda arrays: arrays.update(evil=np.zeros(3, np.float32)))


def tensor_of_another_shape(folder: Path) -> None:
    """A tensor of another shape."""
    weight = np.zeros((2, 5), np.float32)
    spoiled(folder, lambda arrays: arrays.update({"heads.0.weight": weight}))


def weights_of_nan(folder: Path) -> None:
    """Weights that are not numbers."""
    spoiled(folder, lambda arrays: arrays["network.neck.weight"].fill(np.nan))


def infinite_weights(folder: Path) -> None:
    """Weights of which one is infinite."""

    def change(arrays: Arrays) -> None:
        arrays["network.neck.weight"][3] = -np.inf

    spoiled(folder, change)


def weights_that_overflow(folder: Path) -> None:
    """Weights in double precision that are infinite in single."""
    weight = np.full(64, 1e300)
    spoiled(folder, lambda arrays: arrays.update({"network.neck.weight": weight}))


def weights_of_integers(folder: Path) -> None:
    """Integers where weights should be."""
    weight = np.ones(64, np.int64)
    spoiled(folder, lambda arrays: arrays.update({"network.neck.weight": weight}))


def weights_in_eight_bits(folder: Path) -> None:
    """Weights of a type with which torch can hardly do anything."""
    spoiled(folder)
    with safe_open(folder / OWN, framework="pt") as file:
        metadata = file.metadata()
    tensors = safetensors.torch.load(sound())
    tensors["network.neck.weight"] = torch.ones(64).to(torch.float8_e4m3fn)
    safetensors.torch.save_file(tensors, folder / OWN, metadata)


def all_faults_of_the_tensors(folder: Path) -> None:
    """Every tensor under another name: the first are told, and how many more."""

    def change(arrays: Arrays) -> None:
        for key in [key for key in arrays if key.startswith("network.")]:
            arrays[f"module.{key}"] = arrays.pop(key)

    spoiled(folder, change)


# Weights to start from


@functools.cache
def timm_state() -> Arrays:
    """Return the weights of a timm model."""
    torch.manual_seed(0)
    model = timm.create_model("test_convnext")
    return {key: value.numpy() for key, value in model.state_dict().items()}


def starting_from(folder: Path, arrays: Arrays) -> None:
    """Let the network start from these weights."""
    edited(folder, "weights: none", "weights: own.safetensors")
    write_safetensors(folder / WEIGHTS, arrays, {})


def weights_of_another_network(folder: Path) -> None:
    """The weights of another backbone."""
    state = timm.create_model("test_resnet").state_dict()
    starting_from(folder, {key: value.numpy() for key, value in state.items()})


def weights_of_no_network(folder: Path) -> None:
    """A file without a tensor."""
    starting_from(folder, {})


def no_weights(folder: Path) -> None:
    """A name of no file."""
    edited(folder, "weights: none", "weights: own.safetensors")


CASES = cases(
    "checkpoints",
    "stages.extract",
    no_checkpoint,
    pickled_code,
    torch_file_of_code,
    checkpoint_cut_short,
    checkpoint_without_a_byte,
    header_of_exabytes,
    header_of_brackets,
    tensor_behind_a_hole,
    tensor_of_petabytes,
    checkpoint_of_others,
    other_format,
    metadata_cut_short,
    metadata_of_brackets,
    metadata_that_are_a_list,
    no_architecture,
    architecture_of_nonsense,
    backbone_of_nobody,
    weights_of_ones_own_choice,
    images_of_a_gigapixel,
    network_of_terabytes,
    head_of_terabytes,
    head_of_no_camera,
    negative_classes,
    missing_tensors,
    tensors_in_excess,
    tensor_of_another_shape,
    weights_of_nan,
    infinite_weights,
    weights_that_overflow,
    weights_of_integers,
    weights_in_eight_bits,
    all_faults_of_the_tensors,
    weights_of_another_network,
    weights_of_no_network,
    no_weights,
)
