"""What tells one run from another: its key."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

LIBRARIES = ("numba", "numpy", "pillow", "scikit-learn", "scipy", "timm", "torch")
CHOOSING = (
    "ATEN_CPU_CAPABILITY",
    "DNNL_MAX_CPU_ISA",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
)


def run_key(
    stage: str, params: Any, data: Sequence[Path], device: torch.device, workspace: Path
) -> str:
    """Return a name that two runs share only if they give the same bytes.

    But for `compute.processes`, which moves the last digits alone: so that a run may be
    taken up by another number of processes. Nor does `compute.image_cache_gb` count,
    which moves no byte: to lower it is the remedy where memory is short.

    Parameters
    ----------
    stage
        Its name.
    params
        A dataclass of all parameters that it reads.
    data
        Files that it reads.
    device
        It computes on.
    workspace
        Whose code runs: all its modules that are loaded count.

    Returns
    -------
    str
        ``<stage>-<16 hexadecimal digits>``.
    """
    files = [*data, *_code(workspace.resolve())]
    plain = dataclasses.asdict(params)
    for name in ("processes", "image_cache_gb"):
        plain.get("compute", {}).pop(name, None)
    about = {
        "params": plain,
        "files": [_digest(path) for path in files],
        "versions": [version(name) for name in LIBRARIES],
        "device": _hardware(device),
    }
    text = json.dumps(about, sort_keys=True)
    return f"{stage}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _hardware(device: torch.device, table: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Return what decides the last digits of sums, as far as the system tells.

    torch, MKL, oneDNN, OpenBLAS and numpy each choose by the processor, or by a
    variable of their own.
    """
    lines = table.read_text().splitlines() if table.exists() else []
    about = {line for line in lines if line.startswith(("model name", "flags"))}
    chosen = [f"{name}={os.environ.get(name, '')}" for name in CHOOSING]
    found = [torch.backends.cpu.get_cpu_capability(), *sorted(about), *chosen]
    if device.type == "cuda":
        found.append(torch.cuda.get_device_name(device))
    return found


def _code(workspace: Path) -> list[Path]:
    """Return the files of the loaded modules that lie in the workspace, in order."""
    loaded = [getattr(m, "__file__", None) or "" for m in list(sys.modules.values())]
    rooms = tuple(
        f"{workspace}{os.sep}{room}{os.sep}" for room in ("crosscam", "stages")
    )
    return sorted({Path(name) for name in loaded if name.startswith(rooms)})


def _digest(path: Path) -> str:
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: no such file: run dvc repro; weights are yours to put there"
        )
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
