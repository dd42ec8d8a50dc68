"""Foreign tensors put where a network keeps its own, with every misfit named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from crosscam.model.checkpoint import CheckpointError, listing

BATCH_COUNT = "num_batches_tracked"


def squeezed(shape: Iterable[int]) -> tuple[int, ...]:
    """Return a shape without its ones: such tensors differ in nothing but notation."""
    return tuple(size for size in shape if size != 1)


@torch.no_grad()
def fill(
    slots: Mapping[str, Tensor],
    given: Mapping[str, Tensor],
    names: Mapping[str, str],
    faults: Iterable[str] = (),
) -> None:
    """Copy tensors into those of the same name.

    Parameters
    ----------
    slots
        Are overwritten. One that counts batches may be missing in `given` and then
        keeps its value: torch's norms did not count them before 0.4.1, the published
        AIBN does not. It is read only where a norm's other statistics are new.
    given
        Of the same shapes, but for ones.
    names
        Those of `given` to those in the file, for the error.
    faults
        Found elsewhere, for the same error.

    Raises
    ------
    CheckpointError
        If a tensor is missing, in excess, of another shape or not finite: with all of
        them. What is missing is named as timm, torchvision or IICS would name it.
    """
    found = list(faults)
    found += [
        f"{name}: missing"
        for name in slots
        if name not in given and not name.endswith(BATCH_COUNT)
    ]
    for name, value in given.items():
        slot = slots.get(name)
        if slot is None:
            found.append(f"{names[name]}: unexpected")
        elif squeezed(value.shape) != squeezed(slot.shape):
            shapes = f"shape {tuple(value.shape)}, expected {tuple(slot.shape)}"
            found.append(f"{names[name]}: {shapes}")
        if not torch.isfinite(value).all():
            found.append(f"{names[name]}: holds values that are not finite")
    if found:
        raise CheckpointError(
            f"{len(found)} keys do not fit: is it really this network?\n"
            f"{listing(found)}"
        )
    for name, value in given.items():
        slots[name].copy_(value.reshape(slots[name].shape))
