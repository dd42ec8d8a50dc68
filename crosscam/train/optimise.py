"""Optimiser, learning rate and the loop over the batches of a phase."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from crosscam.data.samplers import Rows
from crosscam.params import Fraction, NonNegative, Positive
from crosscam.processes import copied
from crosscam.shares import dealt
from crosscam.train.gradients import share_gradients

STEP = "step"  # torch's name for the number of steps of a parameter
# What torch keeps of each parameter that has had a step.
PARTS = {"sgd": {"momentum_buffer"}, "adamw": {STEP, "exp_avg", "exp_avg_sq"}}
STARTS_ANEW = "the state of this run: {}: remove .runs, and the run starts anew"


class TrainingError(ValueError):
    """Training cannot go on; the message says where and what to do."""


@dataclass(frozen=True)
class OptimParams:
    """The optimiser, alike in both phases.

    Parameters
    ----------
    name
        ``sgd`` (with `momentum`) or ``adamw``.
    momentum
        Of SGD.
    weight_decay
        On every parameter, as published.
    backbone_factor
        The backbone's learning rate, as a part of the heads'.
    schedule
        Within a phase: ``constant`` as published, or ``cosine`` towards 0.
    """

    name: Literal["sgd", "adamw"]
    momentum: Fraction
    weight_decay: NonNegative
    backbone_factor: Positive
    schedule: Literal["constant", "cosine"]


class Epoch(NamedTuple):
    """What an epoch did: mean loss over its images, learning rate at its end."""

    loss: float
    lr: float
    num_images: int
    num_steps: int
    images_per_second: float


class Phase:
    """A phase of training: one optimiser over a network and its fresh heads.

    Parameters
    ----------
    network, heads
        What is trained; starts the same in all processes.
    params
        The optimiser.
    lr
        Learning rate of the heads at the start.
    num_epochs
        Length of the phase, for the schedule.
    """

    def __init__(
        self,
        network: nn.Module,
        heads: Iterable[nn.Module],
        params: OptimParams,
        *,
        lr: float,
        num_epochs: int,
    ) -> None:
        heads = list(heads)
        for module in (network, *heads):
            copied(module.state_dict().values())
        backbone = [p for p in network.parameters() if p.requires_grad]
        others = [p for h in heads for p in h.parameters() if p.requires_grad]
        groups = [
            {"params": backbone, "lr": lr * params.backbone_factor},
            {"params": others, "lr": lr},
        ]
        self.optimizer = _optimizer(groups, params, lr)
        self.parts = PARTS[params.name]
        self.bases = [group["lr"] for group in self.optimizer.param_groups]
        self.cosine = params.schedule == "cosine"
        self.num_epochs = num_epochs

    def run_epoch(
        self, number: int, batches: list[Rows], loss_of: Callable[[Rows], Tensor]
    ) -> Epoch:
        """Take one optimiser step per batch.

        Parameters
        ----------
        number
            Of the epoch within the phase, from 0.
        batches
            Row numbers.
        loss_of
            From row numbers to a scalar loss, that of the whole batch in each of
            several processes.

        Raises
        ------
        TrainingError
            If the loss of a batch or a parameter is not a finite number. They are
            looked at once an epoch: once a step would make a GPU wait each time.
        """
        started = time.perf_counter()
        losses, num_images = [], 0
        for step, rows in enumerate(batches):
            self._set_lr((number + step / len(batches)) / self.num_epochs)
            with dealt(len(rows)):
                loss = loss_of(rows)
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]  # torch gives it no types
                share_gradients(*(g["params"] for g in self.optimizer.param_groups))
            self.optimizer.step()
            losses.append(loss.detach() * len(rows))
            num_images += len(rows)
        total = float(torch.stack(losses).sum())
        self._check_finite(number, total)
        lr = self.optimizer.param_groups[1]["lr"]
        seconds = time.perf_counter() - started
        speed = num_images / seconds
        return Epoch(total / num_images, lr, num_images, len(batches), speed)

    def optimizer_state(self) -> dict[str, Tensor]:
        """Return the optimiser's state, as ``<number of the parameter>.<name>``."""
        state = self.optimizer.state_dict()["state"]
        return {
            f"{number}.{name}": value
            for number, values in state.items()
            for name, value in values.items()
            if isinstance(value, Tensor)
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Set what `optimizer_state` returned, by a phase of the same parameters.

        Raises
        ------
        TrainingError
            If a parameter, a shape or a type differs, or a part is missing.
        """
        parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        known = {str(number): parameter for number, parameter in enumerate(parameters)}
        for key, value in state.items():
            number, _, name = key.partition(".")
            parameter = known.get(number, value)
            # In the parameter's own order of memory: along another one, fused products
            # and sums of an optimiser's step round differently. And on its device, but
            # for the number of steps, which torch holds on the CPU.
            alike = torch.empty_like(torch.empty(()) if name == STEP else parameter)
            same = (value.shape, value.dtype) == (alike.shape, alike.dtype)
            if number not in known or name not in self.parts or not same:
                what = f"{key} of shape {tuple(value.shape)} is of no parameter"
                raise TrainingError(STARTS_ANEW.format(what))
            self.optimizer.state[parameter][name] = alike.copy_(value)
        for parameter, values in self.optimizer.state.items():
            if values.keys() != self.parts:
                what = f"a parameter of shape {tuple(parameter.shape)} has {[*values]}"
                raise TrainingError(STARTS_ANEW.format(what))

    def _check_finite(self, number: int, total: float) -> None:
        parameters = [p for g in self.optimizer.param_groups for p in g["params"]]
        # The last step can break the network after its loss was seen.
        whole = bool(torch.stack([torch.isfinite(p).all() for p in parameters]).all())
        if not (math.isfinite(total) and whole):
            what = "the loss" if not math.isfinite(total) else "every parameter"
            raise TrainingError(
                f"epoch {number + 1}: {what} must be finite, got a loss of {total}: "
                "lower the learning rate"
            )

    def _set_lr(self, progress: float) -> None:
        factor = (1 + math.cos(math.pi * progress)) / 2 if self.cosine else 1.0
        for group, base in zip(self.optimizer.param_groups, self.bases, strict=True):
            group["lr"] = base * factor


def _optimizer(
    groups: list[dict[str, object]], params: OptimParams, lr: float
) -> Optimizer:
    if params.name == "sgd":
        return SGD(
            groups, lr=lr, momentum=params.momentum, weight_decay=params.weight_decay
        )
    return AdamW(groups, lr=lr, weight_decay=params.weight_decay)
