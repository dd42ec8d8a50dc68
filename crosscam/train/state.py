"""The state of a run as arrays and plain values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import Network
from crosscam.train.devices import device_of
from crosscam.train.optimise import Epoch
from crosscam.train.progress import Position, Progress, Round


class StateError(ValueError):
    """A state that is not one of this run."""


def state_of(progress: Progress) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return a run's state: arrays by name, and plain values that say what they are.

    Parameters
    ----------
    progress
        With at least one round.
    """
    current = progress.rounds[-1][1]
    tensors = _named("network", progress.network.state_dict())
    if progress.phase:
        tensors |= _named("optimizer", progress.phase.optimizer_state())
    for camid, head in current.heads.items():
        tensors |= _named(f"heads.{camid}", head.state_dict())
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    for number, (_, done) in enumerate(progress.rounds):
        arrays[f"labels.{number}"] = done.pseudo_labels
    about = {
        "rounds": [[p, r.num_clusters, r.epochs] for p, r in progress.rounds],
        "cameras": list(current.heads),
    }
    return arrays, about


def restore(
    progress: Progress,
    tensors: Mapping[str, Tensor],
    about: Mapping[str, Any],
    params: HeadParams,
) -> None:
    """Take a run that has just begun to a state.

    Parameters
    ----------
    progress
        Its network gets the state's weights, unless these do not fit.
    tensors, about
        Of `state_of`.
    params
        Of the heads.

    Raises
    ------
    StateError
        If keys or shapes are not those of the network, or a part is missing.
    """
    network = progress.network
    weights = _part("network", tensors)
    if _shapes(weights) != _shapes(network.state_dict()):
        raise StateError("its weights are not those of this network")
    try:
        heads = {
            c: _head(network, _part(f"heads.{c}", tensors), params)
            for c in about["cameras"]
        }
        rounds = [
            (
                Position(*p),
                Round(
                    p[1] + 1,
                    _labels(tensors, number),
                    num,
                    {},
                    [Epoch(*e) for e in epochs],
                ),
            )
            for number, (p, num, epochs) in enumerate(about["rounds"])
        ]
        position, current = rounds.pop()
    except (IndexError, KeyError, RuntimeError, TypeError) as error:
        raise StateError(f"it lacks a part, {type(error).__name__}: {error}") from error
    network.load_state_dict(weights)
    progress.rounds = [*rounds, (position, current._replace(heads=heads))]
    progress.optimizer_state = _part("optimizer", tensors)


def _head(network: Network, weights: dict[str, Tensor], params: HeadParams) -> Head:
    neck = network.architecture.neck == "head"
    head = Head(network.feature_size, len(weights["weight"]), params, neck)
    head.load_state_dict(weights)
    return head.to(device_of(network))


def _labels(tensors: Mapping[str, Tensor], number: int) -> NDArray[np.int32]:
    name = f"labels.{number}"
    labels: NDArray[np.int32] = tensors[name].numpy()
    if labels.ndim != 1 or labels.dtype != np.int32:
        raise StateError(f"{name} of {labels.dtype}, {labels.shape}, are no labels")
    return labels


def _named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _part(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    dotted = f"{prefix}."
    return {
        name.removeprefix(dotted): tensor
        for name, tensor in tensors.items()
        if name.startswith(dotted)
    }


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}
