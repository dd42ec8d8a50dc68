"""Files that other programs wrote, read without running any code that they hold."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from crosscam.model.checkpoint import CheckpointError, listing

# What numpy needs for the scores that IICS, IIDS and torchreid store beside the
# weights: it pickles a number as scalar(dtype, bytes), from a module that had another
# name before numpy 2.
_scalar = np.float64(0).__reduce__()[0]
HARMLESS: list[Any] = [
    (_scalar, "numpy._core.multiarray.scalar"),
    (_scalar, "numpy.core.multiarray.scalar"),
    np.dtype,
    *(np.dtypes.Float64DType, np.dtypes.Float32DType, np.dtypes.Int64DType),
]

# What torch.load raised on 5,000 spoiled files (cut, bytes changed, noise); the
# AttributeError is a precaution.
UNREADABLE = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    OSError,
    struct.error,
    zipfile.BadZipFile,
)


# A view of a few bytes can stand for terabytes, which the first look at it would need.
MAX_REPEATED_BYTES = 2**28


class Foreign(NamedTuple):
    """A state dict, and what lay beside it.

    Parameters
    ----------
    tensors
        Dense, on the CPU, float32 if they are of any floating type.
    beside
        Names of the file's other entries: epoch, score, optimiser and the like.
    """

    tensors: dict[str, Tensor]
    beside: list[str]


def read_foreign(path: Path) -> Foreign:
    """Return the weights in a file of torch or safetensors.

    Parameters
    ----------
    path
        Told apart by their ending: ``.safetensors``, or anything else for torch. The
        state dict is the file's entry ``state_dict`` or ``model``, or the file is one.

    Raises
    ------
    CheckpointError
        If there is no such file, it is of neither kind, holds anything that only code
        could rebuild, no state dict, or is a checkpoint of this project.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file: name the checkpoint to convert")
    content = _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    entries: Mapping[Any, Any] = content if isinstance(content, Mapping) else {}
    for name in ("state_dict", "model"):
        if isinstance(entries.get(name), Mapping):
            beside = [str(key) for key in entries if key != name]
            return Foreign(_tensors(path, entries[name]), beside)
    if not any(isinstance(value, Tensor) for value in entries.values()):
        found = [str(key) for key in entries] or f"a {type(content).__name__}"
        raise CheckpointError(
            f"{path}: has no state dict, got {found}: it must be one, or hold one "
            "under the name state_dict or model"
        )
    return Foreign(_tensors(path, entries), [])


def _torch(path: Path) -> Any:
    try:
        compressed = _is_compressed(path)
        with torch.serialization.safe_globals(HARMLESS), warnings.catch_warnings():
            # Of files that are refused below, or say nothing of what is in them.
            warnings.simplefilter("ignore")
            if not compressed:
                return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if wanted is None:
            raise _no_torch_file(path, error) from error
        raise CheckpointError(
            f"{path}: refused, because loading it would run code, got a pickled "
            f"{wanted[1]!r}: save the weights alone in the program that wrote it, "
            "torch.save(model.state_dict(), FILE)"
        ) from error
    except UNREADABLE as error:
        raise _no_torch_file(path, error) from error
    raise CheckpointError(
        f"{path}: refused, because it is compressed, as torch.save never does, and "
        "could fill the memory: save it anew"
    )


def _is_compressed(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(m.compress_type != zipfile.ZIP_STORED for m in archive.infolist())


def _no_torch_file(path: Path, error: Exception) -> CheckpointError:
    # torch puts general advice around the line that says what is wrong.
    found = re.search(r"WeightsUnpickler error:\s*(\S.*)", str(error))
    said = found[1] if found else re.split(r"\.\s|\n", str(error))[0]
    return CheckpointError(
        f"{path}: is not a complete file of torch.save, got {type(error).__name__}: "
        f"{said}: fetch or save it again; a safetensors file must end in .safetensors"
    )


def _safetensors(path: Path) -> Any:
    try:
        with safe_open(path, framework="pt") as file:
            if "crosscam" in (file.metadata() or {}):
                raise CheckpointError(
                    f"{path}: is a checkpoint of this project: use it as it is"
                )
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise CheckpointError(
            f"{path}: is not a complete safetensors file, {error}: fetch it again"
        ) from error


def _tensors(path: Path, state: Mapping[Any, Any]) -> dict[str, Tensor]:
    """Return a state dict in float32, or name all that is not a dense real tensor."""
    faults = [f"{key}: {fault}" for key, v in state.items() if (fault := _fault(v))]
    faults = faults or _repeated(state)
    if faults:
        raise CheckpointError(
            f"{path}: {len(faults)} entries of the state dict are not plain tensors: "
            f"save them as such\n{listing(faults)}"
        )
    return {
        str(key): value.detach().float() if value.is_floating_point() else value
        for key, value in state.items()
    }


def _fault(value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    strange = value.is_meta or value.is_quantized or value.is_complex()
    if strange or value.layout != torch.strided:
        return f"a {value.layout} tensor of {value.dtype} on {value.device}"
    return ""


def _repeated(state: Mapping[Any, Tensor]) -> list[str]:
    """Return the views that repeat values, if all take far more memory than these."""
    stores = {key: value.untyped_storage() for key, value in state.items()}
    sizes = {store.data_ptr(): store.nbytes() for store in stores.values()}
    needed = sum(map(_bytes, state.values()))
    if needed <= sum(sizes.values()) + MAX_REPEATED_BYTES:
        return []
    users = Counter(store.data_ptr() for store in stores.values())
    return [
        f"{key}: a view of shape {tuple(value.shape)} that repeats its values"
        for key, value in state.items()
        if users[stores[key].data_ptr()] > 1 or _bytes(value) > stores[key].nbytes()
    ]


def _bytes(value: Tensor) -> int:
    return value.numel() * value.itemsize
