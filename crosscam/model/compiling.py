"""The stages of a backbone, compiled by torch."""

from __future__ import annotations

import torch
import torch.compiler.config
from torch import nn

from crosscam.model.network import Network
from crosscam.model.stages import stage_ends
from crosscam.params import ParamsError

BACKEND = "inductor"  # torch's own
# A stage is compiled anew for training, extraction and measuring, for two sizes of
# batches each; torch counts all stages together, and stops at 8.
VERSIONS = 64


def compile_stages(network: Network) -> None:
    """Let each stage of a backbone be compiled when it is first called.

    Stage by stage, and not as a whole: camera styles act between them, by hooks that do
    another thing in each pass. Only what a stage computes is compiled, its hooks are
    not. A backbone without four stages, which has no styles, is compiled as a whole.

    Parameters
    ----------
    network
        Is changed in place; names of parameters stay as they are.
    """
    torch.compiler.config.recompile_limit = VERSIONS
    backbone = network.backbone
    try:
        names = stage_ends(backbone, network.architecture.backbone)
    except ParamsError:
        _compile(backbone, "forward_features")
        return
    for name in names:  # not by Module.compile, which takes the hooks in
        _compile(backbone.get_submodule(name), "forward")


def _compile(module: nn.Module, method: str) -> None:
    if method not in vars(module):
        compiled = torch.compile(getattr(module, method), backend=BACKEND)
        setattr(module, method, compiled)


def check_compiler(device: torch.device) -> None:
    """Compile something small, to fail before the work rather than in it.

    Parameters
    ----------
    device
        To compile for.

    Raises
    ------
    ParamsError
        If that fails: torch needs a C++ compiler on a CPU, and Triton on a GPU.
    """
    try:
        compiled = torch.compile(torch.sin, backend=BACKEND)
        compiled(torch.ones(2, device=device))
    except Exception as fault:
        said = str(fault).strip().partition("\n")[0]
        raise ParamsError(
            f"compute.compile: torch cannot compile for {device} here, got "
            f"{type(fault).__name__}: {said}: install a C++ compiler (and Triton for a "
            "GPU), or set it to false"
        ) from fault
