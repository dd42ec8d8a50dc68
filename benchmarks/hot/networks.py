"""Networks of random weights, the same in every process, and images for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor, nn

from benchmarks.hot.path import Agreement, Arrays, Case, Goal
from crosscam.model.network import Architecture, Network

SIZE = (256, 128)
NAMES = {
    "resnet50": "ResNet-50",
    "convnext_tiny": "ConvNeXt-Tiny",
    "convnext_atto": "ConvNeXt-Atto",
    "mobilenetv2_100": "MobileNetV2",
}
# Those that bf16 is asked for, where the processor has instructions for it.
IN_BF16 = ("resnet50", "convnext_tiny", "convnext_atto")
PLAIN = "timm, a plain loop in float32"
PRECISE = tuple(f"{label}, float32" for label in NAMES.values())
ROUGH = tuple(f"{NAMES[name]}, bf16" for name in IN_BF16)


def cases_of_networks(num: int, goal: Goal) -> tuple[Case, ...]:
    """Return each network in float32 and, with a goal, in bf16, on so many images."""
    precise = zip(PRECISE, NAMES, strict=True)
    rough = zip(ROUGH, IN_BF16, strict=True)
    return (
        *(Case(label, (name, num, "fp32")) for label, name in precise),
        *(
            Case(label, (name, num, "bf16"), {"timm_bf16": goal}, "avx512_bf16")
            for label, name in rough
        ),
    )


def noise(num: int, size: tuple[int, int] = SIZE) -> Arrays:
    """Return random images, (num, 3, height, width), uint8."""
    rng = np.random.default_rng(6)
    return {"pixels": rng.integers(0, 256, (num, 3, *size), np.uint8)}


def network_of(name: str, camids: tuple[int, ...] = ()) -> Network:
    """Return a network of ours; with cameras, one that knows their styles."""
    torch.manual_seed(0)
    architecture = Architecture(
        backbone=name,
        options={},
        image_size=SIZE,
        last_stride=2,
        pooling="gap",
        neck="none",
        tnorm=bool(camids),
    )
    return Network(architecture, camids).eval()


def plain_network(name: str) -> Any:
    """Return timm's model as it comes, with the weights of `network_of`."""
    model = timm.create_model(name, num_classes=0)
    state = network_of(name).backbone.state_dict()
    model.load_state_dict({key: value.contiguous() for key, value in state.items()})
    return model.eval()


def normalised(pixels: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Any:
    """Return images as torchvision's ToTensor and Normalize give them."""
    shift, scale = (torch.tensor(part).view(3, 1, 1) for part in (mean, std))
    return (pixels.float() / 255 - shift) / scale


def parameters(*modules: nn.Module) -> list[nn.Parameter]:
    """Return what is trained."""
    return [p for module in modules for p in module.parameters()]


def near(ours: Arrays, peer: Arrays, tolerance: float) -> Agreement:
    """Compare by the largest difference beside the largest value."""
    largest = max(
        float(np.abs(ours[name] - peer[name]).max() / np.abs(peer[name]).max())
        for name in peer
    )
    return Agreement(f"{largest:.0e} of the largest", holds=largest <= tolerance)
