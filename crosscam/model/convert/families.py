"""Families of networks, and what timm calls the tensors of each."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from timm.models.convnext import checkpoint_filter_fn

CONVNEXT_SIZES = ("tiny", "small", "base", "large", "xlarge")
SMALL_CONVNEXTS = ("zepto_rms", "atto", "femto", "pico", "nano")
TORCHVISION_PARTS = {
    "block.0": "conv_dw",
    "block.2": "norm",
    "block.3": "mlp.fc1",
    "block.5": "mlp.fc2",
    "layer_scale": "gamma",
}


def same_name(key: str) -> str:
    """Return timm's name for a name that is timm's."""
    return key


def _facebook(key: str) -> str:
    """Return timm's name for one of ConvNeXt's original names."""
    rename: Any = checkpoint_filter_fn
    renamed = list(rename({key: torch.empty(0)}, None))
    name: str = renamed[0] if renamed else key
    # The block's norm in the ConvNeXt whose norms are all AIBN.
    return name.replace(".aibnNorm.", ".norm.")


def _torchvision(key: str) -> str:
    """Return timm's name for one of torchvision's ConvNeXt, which timm cannot read."""
    for old, new in (
        ("features.0.", "stem."),
        ("classifier.0.", "head.norm."),
        ("classifier.2.", "head.fc."),
    ):
        if key.startswith(old):
            return new + key.removeprefix(old)
    found = re.fullmatch(r"features\.(\d+)\.(\d+)\.(.+)", key)
    if found is None:
        return key
    place, index, part = int(found[1]), found[2], found[3]
    if place % 2 == 0:
        return f"stages.{place // 2}.downsample.{index}.{part}"
    for old, new in TORCHVISION_PARTS.items():
        if part == old or part.startswith(f"{old}."):
            part = new + part.removeprefix(old)
    return f"stages.{place // 2}.blocks.{index}.{part}"


class Family(NamedTuple):
    """Networks whose state dicts look alike.

    Parameters
    ----------
    name
        For people.
    mark
        Found in some keys of all of them, and of no others here.
    models
        Names of timm; the first that fits is taken.
    timm_name
        Key of theirs to key of timm.
    last_stride
        Of the last downsampling in the networks of re-identification.
    """

    name: str
    mark: str
    models: tuple[str, ...]
    timm_name: Callable[[str], str]
    last_stride: Literal[1, 2]


FAMILIES = (
    Family(
        "ResNet with the names of torchvision",
        r"^layer1\.0\.",
        (
            *("resnet50", "resnet18", "resnet34", "resnet101", "resnet152"),
            *("resnext50_32x4d", "resnext101_32x8d"),
            *("wide_resnet50_2", "wide_resnet101_2"),
        ),
        same_name,
        1,
    ),
    Family(
        "ConvNeXt with the names of Facebook's program",
        r"^downsample_layers\.",
        tuple(f"convnext_{size}" for size in CONVNEXT_SIZES),
        _facebook,
        2,
    ),
    Family(
        "ConvNeXt with the names of torchvision",
        r"^features\.\d+\.\d+\.layer_scale",
        tuple(f"convnext_{size}" for size in CONVNEXT_SIZES),
        _torchvision,
        2,
    ),
    Family(
        "ConvNeXt with the names of timm",
        r"^stages\.\d+\.blocks\.\d+\.conv_dw\.",
        tuple(f"convnext_{size}" for size in CONVNEXT_SIZES + SMALL_CONVNEXTS),
        same_name,
        2,
    ),
    Family(
        "MobileNetV2 with the names of timm",
        r"^conv_stem\.",
        tuple(
            f"mobilenetv2_{v}"
            for v in ("100", "035", "050", "075", "110d", "120d", "140")
        ),
        same_name,
        2,
    ),
)
