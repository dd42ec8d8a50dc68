"""What a foreign state dict is: its family, its timm model, its keys in timm."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Literal, NamedTuple

import timm
import torch
from torch import Tensor

from crosscam.model.checkpoint import CheckpointError
from crosscam.model.convert.families import FAMILIES, Family, same_name
from crosscam.model.convert.fitting import squeezed

MIX = "adaptive_weight"  # AIBN's share of the batch statistics, in IICS

# IICS, IIDS and the ConvNeXts made of them put ``model.`` before the backbone's keys,
# DataParallel ``module.`` before all.
PREFIX = r"model\."
STYLES = r"tnorm[123]\."


class Hints(NamedTuple):
    """What cannot be seen in a checkpoint, or not for sure.

    Parameters
    ----------
    image_size
        Height and width of the network's input, pixels.
    camids
        Of the rows of the camera styles and of the heads, in this order; None: from 0.
    backbone
        Name of the timm model; None: recognised.
    last_stride
        None: as the published programs have it.
    """

    image_size: tuple[int, int] = (256, 128)
    camids: tuple[int, ...] | None = None
    backbone: str | None = None
    last_stride: Literal[1, 2] | None = None


class Form(NamedTuple):
    """What a state dict was found to be.

    Parameters
    ----------
    family
        Name of the family, for people.
    backbone
        Name of the timm model that it fits best.
    whole
        Whether it comes from a program of re-identification, with AIBN, heads or
        camera styles perhaps, and not from a classifier of images.
    last_stride
        As such programs have it; it cannot be seen in the weights.
    names
        Key in timm's names to key in the file.
    """

    family: str
    backbone: str
    whole: bool
    last_stride: Literal[1, 2]
    names: dict[str, str]


def recognised(tensors: Mapping[str, Tensor], backbone: str | None = None) -> Form:
    """Return what a state dict is.

    Parameters
    ----------
    tensors
        The state dict.
    backbone
        Name of the timm model, where it is known; needed for those of no family above.

    Raises
    ------
    CheckpointError
        If it is of no known form, timm has no model of this name, or two keys mean the
        same tensor.
    """
    if backbone is not None and not timm.is_model(backbone):
        raise CheckpointError(
            f"--backbone: timm has no such model, got {backbone!r}: "
            "timm.list_models() returns those it has"
        )
    bare = _without_prefixes(tensors)
    whole = _has(tensors, rf"^(module\.)?{PREFIX}|(^|\.)({MIX}$|{STYLES})")
    family = next((f for f in FAMILIES if _has(bare.values(), f.mark)), None)
    if family is None and backbone is not None:
        family = Family("timm's names", "", (backbone,), same_name, 2)
    if family is None:
        raise CheckpointError(
            f"its keys are of no known form, got {list(tensors)[:5]} and so on: known "
            f"are {', '.join(f.name for f in FAMILIES)}; name another timm model with "
            "--backbone; networks that timm does not have, such as torchreid's OSNet, "
            "cannot be used"
        )
    names = _timm_names(bare, family.timm_name)
    shapes = {name: tensors[key].shape for name, key in names.items()}
    nearest = backbone or min(family.models, key=lambda m: _distance(shapes, m))
    return Form(family.name, nearest, whole, family.last_stride, names)


def _without_prefixes(tensors: Iterable[str]) -> dict[str, str]:
    """Return the keys, each with what is left of it without ``module.model.``."""
    keys = list(tensors)
    outer = "module." if all(key.startswith("module.") for key in keys) else ""
    return {key: key.removeprefix(outer).removeprefix("model.") for key in keys}


def _has(names: Iterable[str], pattern: str) -> bool:
    return any(re.search(pattern, name) for name in names)


def _timm_names(
    bare: Mapping[str, str], timm_name: Callable[[str], str]
) -> dict[str, str]:
    names: dict[str, str] = {}
    for key, name in bare.items():
        if (new := timm_name(name)) in names:
            raise CheckpointError(
                f"{key}: means the same tensor as {names[new]}, got both: leave one out"
            )
        names[new] = key
    return names


@cache
def _shapes(model: str) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        state = timm.create_model(model).state_dict()
    return {key: squeezed(value.shape) for key, value in state.items()}


def _distance(shapes: Mapping[str, Iterable[int]], model: str) -> int:
    """Return how many keys or shapes are another model's."""
    own = {(name, squeezed(shape)) for name, shape in shapes.items()}
    return len(own ^ set(_shapes(model).items()))
