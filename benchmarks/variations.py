"""What benchmarks/determinism.py varies: what must not matter, and what may.

Not a program of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Variation(NamedTuple):
    """One way to run the stages.

    Parameters
    ----------
    group, label
        What is varied, and how, for the table.
    env
        Set in the environment.
    params
        Values by dotted path, set in params.yaml.
    prefix
        Of the command, such as taskset.
    flags
        Of Python.
    folder
        Name of the workspace.
    umask
        Of the processes.
    hooks
        Modules of benchmarks/hooks/ that Python runs at its start.
    unpacks
        Whether the dataset is a folder, which is unpacked and split and no more.
    backwards
        Whether the files of that folder are made in reverse order of their names.
    """

    group: str
    label: str
    env: Mapping[str, str] = NOTHING
    params: Mapping[str, Any] = NOTHING
    prefix: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    folder: str = "workspace"
    umask: int = 0o022
    hooks: tuple[str, ...] = ()
    unpacks: bool = False
    backwards: bool = False


def threads_of(num: int) -> dict[str, str]:
    """Return the environment of a user who asks every library for so many threads."""
    libraries = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA")
    return {f"{name}_NUM_THREADS": str(num) for name in libraries}


def together(variations: Sequence[Variation]) -> Variation:
    """Return all of some variations at once."""
    return variations[0]._replace(
        label=", ".join(how.label for how in variations),
        env={key: value for how in variations for key, value in how.env.items()},
        params={key: value for how in variations for key, value in how.params.items()},
        prefix=tuple(part for how in variations for part in how.prefix),
        flags=tuple(part for how in variations for part in how.flags),
        hooks=tuple(part for how in variations for part in how.hooks),
        folder=max((how.folder for how in variations), key=len),
        umask=max(how.umask for how in variations),
    )


BASE = Variation("", "")
MINE = {"archive": "data/mine/raw/folder"}
FOLDER = Variation("order of a folder", "as made", params=MINE, unpacks=True)
HASH, LOCALE, ZONE = "hash seed", "locale", "time zone and date"
THREADS, MEMORY = "cores and threads from outside", "memory"
ACTIVE = {"OMP_WAIT_POLICY": "active", "OMP_DYNAMIC": "true", "MKL_DYNAMIC": "true"}
UTF8 = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
# A name that is longer than most and not ASCII.
FAR = "una carpeta más larga de lo normal · 人物再识别 · Ωκ/" * 3 + "workspace"

# The same bytes as BASE; the last one, as FOLDER.
EQUAL = {
    "again": Variation("the same again", "another run"),
    "hash0": Variation(HASH, "PYTHONHASHSEED=0", {"PYTHONHASHSEED": "0"}),
    "hash1": Variation(HASH, "PYTHONHASHSEED=1", {"PYTHONHASHSEED": "1"}),
    "c": Variation(LOCALE, "LC_ALL=C, no UTF-8 mode", {"LC_ALL": "C", **UTF8}),
    "turkish": Variation(LOCALE, "LC_ALL=tr_TR.UTF-8", {"LC_ALL": "tr_TR.UTF-8"}),
    "latin": Variation(
        LOCALE, "LC_ALL=de_DE.ISO-8859-1", {"LC_ALL": "de_DE.ISO-8859-1", **UTF8}
    ),
    "nepal": Variation(ZONE, "TZ=Asia/Kathmandu (+5:45)", {"TZ": "Asia/Kathmandu"}),
    "later": Variation(ZONE, "Python's clock five years ahead", hooks=("later",)),
    "far": Variation("folder", "a long path, spaces, other scripts", folder=FAR),
    "umask": Variation("rights", "umask 077", umask=0o077),
    "optimised": Variation("Python", "python -O", flags=("-O",)),
    "isolated": Variation(
        "Python", "development mode, no bytecode", flags=("-X", "dev", "-B")
    ),
    "backwards": Variation(
        "order of folders", "each listing reversed", hooks=("backwards",)
    ),
    "core": Variation(THREADS, "one core visible", hooks=("one_core",)),
    "threads2": Variation(THREADS, "OMP, MKL, OpenBLAS: 2 threads", threads_of(2)),
    "threads4": Variation(THREADS, "OMP, MKL, OpenBLAS: 4 threads", threads_of(4)),
    "active": Variation(THREADS, "threads that spin, dynamic numbers", ACTIVE),
    "perturbed": Variation(
        MEMORY, "fresh memory filled with rubbish", {"MALLOC_PERTURB_": "165"}
    ),
    "fixed": Variation(MEMORY, "no random addresses", prefix=("setarch", "-R")),
    "mapped": Variation(
        MEMORY, "images mapped from a file", params={"compute.image_cache_gb": 1e-9}
    ),
    "ranked": Variation(
        "size of pieces", "evaluate.chunk_size: 7", params={"evaluate.chunk_size": 7}
    ),
    "reversed": FOLDER._replace(
        label="made and listed in reverse", hooks=("backwards",), backwards=True
    ),
}
ATEN = {"ATEN_CPU_CAPABILITY": "default"}
ONEDNN = {"ONEDNN_MAX_CPU_ISA": "SSE41"}
MKL = {"MKL_CBWR": "COMPATIBLE"}
OPENBLAS = {"OPENBLAS_CORETYPE": "Prescott"}
NUMPY = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}
PIECES, CPU = "size of pieces", "type of CPU"
# The same in all but the last digits of sums, and what comes of them.
OTHER = {
    "threads-2": Variation(
        "threads", "compute.threads: 2", params={"compute.threads": 2}
    ),
    "threads-4": Variation(
        "threads", "compute.threads: 4", params={"compute.threads": 4}
    ),
    "batch": Variation(
        PIECES, "compute.batch_size: 64", params={"compute.batch_size": 64}
    ),
    "aten": Variation(CPU, "torch's own loops without AVX", ATEN),
    "onednn": Variation(CPU, "oneDNN: at most SSE 4.1", ONEDNN),
    "mkl": Variation(CPU, "MKL: reproducible on any CPU", MKL),
    "openblas": Variation(CPU, "OpenBLAS: Prescott", OPENBLAS),
    "old": Variation(
        CPU,
        "all of these, and numpy: no AVX at all",
        ATEN | ONEDNN | MKL | OPENBLAS | NUMPY,
    ),
}
