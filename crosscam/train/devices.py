"""Device, threads and random generators."""

from __future__ import annotations

import logging
import os
import platform
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import nn

from crosscam.kernel import set_threads
from crosscam.model.compiling import check_compiler, compile_stages
from crosscam.model.network import Network, Precision
from crosscam.params import Count, ParamsError, Positive, Within
from crosscam.processes import place_on_machine, world_size

log = logging.getLogger(__name__)

Processes = Annotated[int, Within(1, 256)]


@dataclass(frozen=True)
class ComputeParams:
    """Where and how fast to compute; none of it belongs to the method.

    Parameters
    ----------
    device
        ``auto`` takes a GPU where there is one.
    threads
        Of the CPU, in each process. Results are the same run after run with the same
        number, and differ in the last digits between numbers.
    image_cache_gb
        Larger sets of decoded images are mapped from a temporary file (10^9 bytes).
    batch_size
        Images in a pass of feature extraction.
    precision
        Of the backbone's arithmetic: ``fp32``, or ``bf16`` by autocast, in training and
        in extraction. All else is float32 either way: statistics of norms, pooling,
        heads, losses, the optimiser, weights and features.
    compile
        Whether torch compiles the backbone's stages.
    processes
        Of this machine that share the work, each on a GPU of its own where there are
        any; not looked at under torchrun, which has its own number. Results differ in
        the last digits between numbers.
    """

    device: Literal["auto", "cpu", "cuda"]
    threads: Count
    image_cache_gb: Positive
    batch_size: Count
    precision: Precision = "fp32"
    compile: bool = False
    processes: Processes = 1


def start_device(params: ComputeParams) -> torch.device:
    """Set threads, deterministic algorithms and exact products; return the device.

    Raises
    ------
    ParamsError
        If a GPU is asked for and there is none, or not one for each process.
    """
    # numba first: when its threads start, it sets the number of OpenMP's, torch's too.
    set_threads(params.threads)
    torch.set_num_threads(params.threads)
    # numpy's products too: on 4 threads instead of 1 they changed the pseudo labels of
    # 115 of 1,111 images, as they differ in the last bits.
    threadpool_limits(params.threads)
    torch.use_deterministic_algorithms(True)
    # It would fill memory before it is written to, too: 2 to 4 % of a training step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    # Without it, matrix products on a GPU raise under deterministic algorithms.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    # fp32 means it, as on a CPU: TF32 keeps 10 of the 23 bits of each factor, and torch
    # would let convolutions have it. Who wants tensor cores asks for bf16.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    device = chosen_device(params.device)
    if device.type == "cuda" and world_size() > 1:
        _take_gpu()
    log.info(
        "python %s, torch %s, numpy %s, device %s, %s%s, %d threads",
        platform.python_version(),
        torch.__version__,
        np.__version__,
        device,
        params.precision,
        " compiled" if params.compile else "",
        params.threads,
    )
    return device


def chosen_device(name: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """Return the device of a name; ``auto`` is a GPU where there is one.

    Raises
    ------
    ParamsError
        If a GPU is asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise ParamsError(
            "compute.device: torch finds no GPU, got 'cuda': set it to auto or cpu"
        )
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(found if name == "auto" else name)


def placed(network: Network, params: ComputeParams, device: torch.device) -> Network:
    """Return the network, on the device and computing as `params` say.

    Parameters
    ----------
    network
        Is changed in place; a second time changes nothing.
    params
        For precision and compilation.
    device
        Of `start_device`.

    Raises
    ------
    ParamsError
        If torch is asked to compile and cannot do so here, or in several processes.
    """
    network.precision = params.precision
    if params.compile:
        if world_size() > 1:  # what goes between them is not to be compiled
            raise ParamsError(
                f"compute.compile: must be false in {world_size()} processes, got "
                "true: set it to false, or compute.processes to 1"
            )
        check_compiler(device)
        compile_stages(network)
    return network.to(device)


def _take_gpu() -> None:
    """Let each process of this machine compute on a GPU of its own."""
    (number, wanted), there = place_on_machine(), torch.cuda.device_count()
    if wanted > there:
        raise ParamsError(
            f"compute.processes: must be at most {there}, one for each GPU that torch "
            f"finds, got {wanted}"
        )
    torch.cuda.set_device(number)


@dataclass(frozen=True)
class Randomness:
    """The generators of one epoch (or phase), derived from where it stands.

    Deriving them from (seed, position) instead of carrying their state on means that
    an epoch's draws do not depend on what ran before it.
    """

    numpy: np.random.Generator
    torch: torch.Generator


def randomness(seed: int, *position: int) -> Randomness:
    """Return generators for `position`, and seed torch's global ones likewise.

    The global generators are what dropout, drop path and layers' initial weights draw
    from.

    Parameters
    ----------
    seed
        Of the run.
    position
        Up to three numbers in [0, 2^32) that say where in the run this is; different
        positions give independent streams, but for zeros at the end: (1,) is (1, 0).
    """
    children = np.random.SeedSequence((seed, *position)).spawn(3)
    states = [int(child.generate_state(1, np.uint64)[0] >> 1) for child in children[:2]]
    torch.manual_seed(states[0])
    own = torch.Generator().manual_seed(states[1])
    return Randomness(np.random.default_rng(children[2]), own)


def device_of(module: nn.Module) -> torch.device:
    """Return where a module's parameters are."""
    return next(module.parameters()).device
