"""Networks as IICS, IIDS and the ConvNeXts made of them trained and saved them.

References
----------
Xuan, Zhang: Intra-inter camera similarity for unsupervised person re-identification,
CVPR 2021 (IICS).
Xuan, Zhang: Intra-inter domain similarity for unsupervised person re-identification,
TPAMI 2022 (IIDS).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import timm
import torch
from torch import Tensor

from crosscam.model.checkpoint import Checkpoint, CheckpointError
from crosscam.model.convert.fitting import BATCH_COUNT, fill
from crosscam.model.convert.forms import MIX, Form, Hints
from crosscam.model.heads import ALL_CAMERAS, Head, HeadParams
from crosscam.model.network import Architecture, Network
from crosscam.model.stages import norms_between, stage_ends
from crosscam.params import ParamsError

Aibn = Literal["none", "deep", "all"]


class Trained(NamedTuple):
    """What `trained` makes of a checkpoint.

    Parameters
    ----------
    checkpoint
        The network and its heads.
    left_out
        Reason to names, in timm's and IICS's terms, of what it did not need.
    """

    checkpoint: Checkpoint
    left_out: dict[str, list[str]]


def trained(form: Form, given: Mapping[str, Tensor], hints: Hints) -> Trained:
    """Return a network with its AIBN, heads and camera styles.

    Parameters
    ----------
    form
        What the checkpoint was found to be.
    given
        Its tensors, by names of timm; what timm has not is named as in IICS:
        ``adaptive_weight`` for AIBN, ``tnorm1`` to ``tnorm3``, ``classifier``.
    hints
        What the tensors do not say.

    Raises
    ------
    CheckpointError
        If the tensors are not those of such a network, or the cameras not as many.
    """
    camids = _camids(given, hints)
    aibn, blocks = _aibn(form.backbone, given)
    architecture = Architecture(
        form.backbone,
        {},
        hints.image_size,
        hints.last_stride or form.last_stride,
        "gap",
        "head",
        aibn,
        tnorm=any(name.startswith("tnorm") for name in given),
    )
    network = Network(architecture, sorted(camids))
    heads = _heads(given, camids, network.feature_size)
    unused = {
        "said again by the norms of the block": [f"{b}.{MIX}" for b in blocks],
        "nothing reads it": [f"tnorm{i}.{BATCH_COUNT}" for i in (1, 2, 3)],
    }
    left_out = {why: [n for n in names if n in given] for why, names in unused.items()}
    dropped = {name for names in left_out.values() for name in names}
    used = {name: value for name, value in given.items() if name not in dropped}
    slots = _network_slots(network) | _head_slots(heads)
    fill(slots, used, form.names, _disagreements(blocks, given))
    _order_styles(network, camids)
    return Trained(Checkpoint(network, dict(heads.values())), left_out)


def _camids(given: Mapping[str, Tensor], hints: Hints) -> tuple[int, ...]:
    """Return the cameras of the styles and of the heads, in the file's order."""
    styles = [v for n, v in given.items() if re.match(r"tnorm\d\.running_", n)]
    counts = {len(value) for value in styles if value.ndim}
    heads = {found[1] for n in given if (found := _head_key(n)) and found[1]}
    counts |= {len(heads)} if heads else set()
    if len(counts) > 1:
        raise CheckpointError(
            "styles and heads must be of equally many cameras, got "
            f"{sorted(counts)}: is the file complete?"
        )
    num = next(iter(counts), 0)
    camids = tuple(range(num)) if hints.camids is None else hints.camids
    if len(camids) != num or len(set(camids)) != num or min(camids, default=0) < 0:
        raise CheckpointError(
            f"--camids: the file is of {num} cameras, got {list(camids)}: name as "
            "many, all different, counted from 0"
        )
    return camids


def _head_key(name: str) -> re.Match[str] | None:
    """Return a match whose first group is the number of the head, if it has one."""
    return re.fullmatch(r"classifier\.(?:(\d+)\.)?[01]\.\w+", name)


def _aibn(
    backbone: str, given: Mapping[str, Tensor]
) -> tuple[Aibn, dict[str, list[str]]]:
    """Return which norms are AIBN, and their names in each block."""
    with torch.device("meta"):
        model = timm.create_model(backbone)
    try:
        ends = stage_ends(model, backbone)
    except ParamsError:
        if any(n.endswith(f".{MIX}") or n.startswith("tnorm") for n in given):
            raise CheckpointError(
                f"--backbone: {backbone} has not the four stages that the AIBN and "
                "camera styles of this file lie in: name the network that was trained"
            ) from None
        return "none", {}
    deep = norms_between(model, ends[1], ends[-1])
    every = norms_between(model, None, ends[-1])
    found = {name for name in every if f"{name}.{MIX}" in given}
    aibn: Aibn = "all" if found - deep.keys() else "deep" if found else "none"
    blocks: dict[str, list[str]] = {}
    for name, block in (every if aibn == "all" else deep if found else {}).items():
        blocks.setdefault(block, []).append(name)
    return aibn, blocks


def _disagreements(
    blocks: Mapping[str, Sequence[str]], given: Mapping[str, Tensor]
) -> list[str]:
    """Return a fault for each block whose norms have not one share."""
    faults = []
    for block, norms in blocks.items():
        keys = [f"{name}.{MIX}" for name in [block, *norms] if f"{name}.{MIX}" in given]
        values = {key: given[key].flatten().tolist() for key in keys}
        if len({tuple(value) for value in values.values()}) > 1:
            faults.append(f"{block}: its values of {MIX} must be one, got {values}")
    return faults


def _heads(
    given: Mapping[str, Tensor], camids: Sequence[int], feature_size: int
) -> dict[str, tuple[int, Head]]:
    """Return the start of each head's keys with its camera and a head to fill."""
    found = [match[1] for name in given if (match := _head_key(name))]
    numbers = sorted({int(number) for number in found if number})
    # Either no head has a number, or there are as many as cameras.
    numbered = zip(numbers, camids, strict=bool(numbers))
    prefixes = {f"classifier.{number}.": camid for number, camid in numbered}
    if None in found:
        prefixes["classifier."] = ALL_CAMERAS
    heads = {}
    for prefix, camid in prefixes.items():
        weight = given.get(f"{prefix}1.weight")
        num_classes = len(weight) if weight is not None and weight.ndim else 1
        params = HeadParams(kind="linear", scale=1.0)
        heads[prefix] = camid, Head(feature_size, num_classes, params, neck=True)
    return heads


def _head_slots(heads: Mapping[str, tuple[int, Head]]) -> dict[str, Tensor]:
    return {
        f"{prefix}{'1.weight' if key == 'weight' else key.replace('norm.', '0.')}": slot
        for prefix, (_, head) in heads.items()
        for key, slot in head.state_dict().items()
    }


def _network_slots(network: Network) -> dict[str, Tensor]:
    """Return the network's own tensors, by the names of timm and IICS."""
    slots = {
        re.sub(r"\.mix$", f".{MIX}", key): slot
        for key, slot in network.backbone.state_dict().items()
    }
    if network.styles is not None:
        for layer, moments in enumerate(network.styles.moments(), start=1):
            slots[f"tnorm{layer}.running_mean"] = moments.mean
            slots[f"tnorm{layer}.running_var"] = moments.var
    return slots


def _order_styles(network: Network, camids: Sequence[int]) -> None:
    """Put the styles, which came in the order of `camids`, in ascending order."""
    if network.styles is not None:
        order = sorted(range(len(camids)), key=lambda row: camids[row])
        for moments in network.styles.moments():
            for slot in (moments.mean, moments.var):
                slot.copy_(slot[order])
            moments.arrive_as_they_are()  # as the published programs have it
