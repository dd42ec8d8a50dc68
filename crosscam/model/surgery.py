"""Changes to a timm model that its own options do not offer."""

from __future__ import annotations

from timm.layers.adaptive_avgmax_pool import SelectAdaptivePool2d
from torch import nn

from crosscam.model.pooling import GeneralisedMean
from crosscam.params import ParamsError


def unstride(model: nn.Module, name: str) -> None:
    """Set the stride of the last downsampling to 1, in its block and the shortcut.

    Parameters
    ----------
    model
        Is changed in place.
    name
        What to call it in an error.

    Raises
    ------
    ParamsError
        If only its first layer, or none, has stride 2.
    """
    strided = [
        (key, module)
        for key, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.AvgPool2d | nn.MaxPool2d)
        and module.stride in {2, (2, 2)}
    ]
    if len(strided) < 2:
        raise ParamsError(
            f"model.last_stride: {name} has no last downsampling that could be taken "
            "out: set it to 2"
        )
    block = _block(strided[-1][0])
    for key, module in strided:
        if _block(key) != block:
            continue
        module.stride = (1, 1)
        # Without its stride a 2 × 2 pool, such as that of a ResNet-D shortcut, would
        # still shrink its map by one.
        if not isinstance(module, nn.Conv2d) and module.kernel_size in {2, (2, 2)}:
            module.kernel_size = (1, 1)


def _block(key: str) -> str:
    """Return the block or stage of a module: ``layer4.0`` or ``stages.3``."""
    return ".".join(key.split(".")[:2])


def pool(model: nn.Module, name: str) -> None:
    """Put generalised mean pooling where the model pools its last feature map.

    Parameters
    ----------
    model
        Is changed in place.
    name
        What to call it in an error.

    Raises
    ------
    ParamsError
        If it has no single pooling layer of timm's kind.
    """
    found = [
        key
        for key, module in model.named_modules()
        if isinstance(module, SelectAdaptivePool2d)
    ]
    if len(found) != 1:
        raise ParamsError(
            f"model.pooling: {name} has no single pooling layer to replace: use gap"
        )
    parent_key, _, child = found[0].rpartition(".")
    pooling = model.get_submodule(found[0])
    flatten = isinstance(pooling.flatten, nn.Flatten)
    setattr(model.get_submodule(parent_key), child, GeneralisedMean(flatten))
