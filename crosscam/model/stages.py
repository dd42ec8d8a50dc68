"""Where the stages of a timm model end, and which of its norms lie in them.

ResNets, ConvNeXts and most convolutional networks have four stages, at 4, 8, 16 and 32
pixels to a position; timm's `feature_info` names the module that ends each of them.
"""

from __future__ import annotations

from typing import Any

from timm.layers.conv_bn_act import ConvNormAct
from timm.layers.norm import LayerNorm2d, RmsNorm, RmsNorm2d, SimpleNorm, SimpleNorm2d
from timm.layers.norm_act import LayerNormAct2d
from torch import nn

from crosscam.params import ParamsError

SEQUENCES = (nn.Sequential, ConvNormAct)
REDUCTIONS = (4, 8, 16, 32)
# (N, C, H, W); timm's LayerNormAct2d is no LayerNorm2d.
MAP_NORMS = (nn.BatchNorm2d, LayerNorm2d, LayerNormAct2d, RmsNorm2d, SimpleNorm2d)
LAST_DIM_NORMS = (nn.LayerNorm, RmsNorm, SimpleNorm)  # (N, H, W, C)


def stage_ends(model: Any, name: str) -> tuple[str, ...]:
    """Return the names of the four modules whose outputs end the stages.

    Parameters
    ----------
    model
        Of timm.
    name
        What to call it in an error.

    Raises
    ------
    ParamsError
        If it does not have these four stages, as a plain vision transformer, or not
        as modules of its own, as HRNet.
    """
    info = stage_info(model)
    ends = [e["module"] for r in REDUCTIONS for e in info if e["reduction"] == r]
    # The names of some models (mvitv2, twins, hrnet) are no modules of theirs.
    known = set(ends) & {name for name, _ in model.named_modules()}
    if len(ends) != len(REDUCTIONS) or len(known) != len(REDUCTIONS):
        raise ParamsError(
            f"model: {name} has not four stages at 1/4, 1/8, 1/16 and 1/32 of the "
            "image size: set model.aibn to none and model.tnorm to false"
        )
    return tuple(ends)


def stage_info(model: Any) -> list[dict[str, Any]]:
    """Return what timm tells of a model's stages: module, num_chs, reduction."""
    info = getattr(model, "feature_info", [])
    return list(getattr(info, "info", info))


def norms_between(model: nn.Module, after: str | None, until: str) -> dict[str, str]:
    """Return the norms between two modules, each with the block it belongs to.

    Parameters
    ----------
    model
        Whose modules are looked at in the order in which they are defined.
    after
        Name of a module; its own norms and all earlier ones are left out. None: from
        the first.
    until
        Name of the last module.

    Returns
    -------
    dict
        Names of norms to names of blocks: the nearest module above that is no mere
        sequence, so that the norm of a shortcut belongs to the block of the shortcut.
    """
    names = [name for name, _ in model.named_modules()]
    first = 0 if after is None else _end(names, after)
    found = {}
    for name in names[first : _end(names, until)]:
        if isinstance(model.get_submodule(name), MAP_NORMS + LAST_DIM_NORMS):
            found[name] = _block(model, name)
    return found


def _end(names: list[str], module: str) -> int:
    """Return the position behind a module and all that is inside it."""
    inside = [i for i, n in enumerate(names) if n == module or _is_in(n, module)]
    return inside[-1] + 1


def _is_in(name: str, module: str) -> bool:
    return name.startswith(f"{module}.")


def _block(model: nn.Module, name: str) -> str:
    parent = name.rpartition(".")[0]
    while parent and type(model.get_submodule(parent)) in SEQUENCES:
        parent = parent.rpartition(".")[0]
    return parent
