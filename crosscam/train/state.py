"""The state of a run as arrays and plain values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import Network
from crosscam.params import (
    Count,
    NonNegative,
    ParamsError,
    Positive,
    Within,
    parse_tree,
)
from crosscam.train.devices import device_of
from crosscam.train.optimise import Epoch
from crosscam.train.progress import Position, Progress, Round

_Index = Annotated[int, Within(0)]
_Position = tuple[Literal["intra", "inter"], _Index, Count, _Index]
_Epoch = tuple[float, NonNegative, Count, Count, Positive]


class StateError(ValueError):
    """A state that is not one of this run."""


@dataclass(frozen=True)
class _About:
    """What `state_of` says beside the arrays."""

    rounds: tuple[tuple[_Position, _Index, tuple[_Epoch, ...]], ...]
    cameras: tuple[Annotated[int, Within(-1)], ...]


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
        Of `state_of`; `about` as JSON gives it back.
    params
        Of the heads.

    Raises
    ------
    StateError
        If keys or shapes are not those of the network, or a part is missing.
    """
    network = progress.network
    weights = _part("network", tensors)
    if _kinds(weights) != _kinds(network.state_dict()):
        raise StateError("its weights are not those of this network")
    try:
        kept = parse_tree(about, _About, "its metadata")
        heads = {
            c: _head(network, _part(f"heads.{c}", tensors), params)
            for c in kept.cameras
        }
        labels = [_labels(tensors, n, r[1]) for n, r in enumerate(kept.rounds)]
        rounds = [
            (
                Position(*position),
                Round(position[1] + 1, found, num, {}, [Epoch(*e) for e in epochs]),
            )
            for (position, num, epochs), found in zip(kept.rounds, labels, strict=True)
        ]
        position, current = rounds.pop()
    except (IndexError, KeyError, RuntimeError) as error:
        raise StateError(f"it lacks a part, {type(error).__name__}: {error}") from error
    except ParamsError as error:
        raise StateError(str(error).partition("\n")[0]) from error
    if len({len(found) for found in labels}) > 1:
        raise StateError("its rounds have labels of different numbers of images")
    network.load_state_dict(weights)
    progress.rounds = [*rounds, (position, current._replace(heads=heads))]
    progress.optimizer_state = _part("optimizer", tensors)


def _head(network: Network, weights: dict[str, Tensor], params: HeadParams) -> Head:
    weight, size = weights["weight"], network.feature_size
    # Before one is made: a file of a few bytes could ask for any number of classes.
    if weight.ndim != 2 or weight.shape[1] != size or not len(weight):
        raise StateError(
            f"a head of {tuple(weight.shape)} is none over {size} features"
        )
    head = Head(size, len(weight), params, neck=network.architecture.neck == "head")
    if _kinds(weights) != _kinds(head.state_dict()):
        raise StateError("a head is not of these parameters")
    head.load_state_dict(weights)
    return head.to(device_of(network))


def _labels(
    tensors: Mapping[str, Tensor], number: int, num_clusters: int
) -> NDArray[np.int32]:
    name = f"labels.{number}"
    labels: NDArray[np.int32] = tensors[name].numpy()
    if labels.ndim != 1 or labels.dtype != np.int32 or not len(labels):
        raise StateError(f"{name} of {labels.dtype}, {labels.shape}, are no labels")
    if labels.min() < -1 or labels.max() >= num_clusters:
        raise StateError(f"{name} are not of {num_clusters} clusters")
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


def _kinds(tensors: Mapping[str, Tensor]) -> dict[str, tuple[object, ...]]:
    return {name: (value.dtype, *value.shape) for name, value in tensors.items()}
