"""Networks and heads to safetensors files and back; pretrained weights."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import timm
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from crosscam.files import write_safetensors
from crosscam.model.aibn import AIBN
from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import Architecture, Network, timm_options
from crosscam.params import Count, ParamsError, Positive, Within, parse_tree

log = logging.getLogger(__name__)

FORMAT = "crosscam-1"
FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
SLACK = 10**6  # numbers that may be missing in a file and are then named
MAX_SHOWN_FAULTS = 20  # a screenful; a network of another kind has hundreds


class CheckpointError(ValueError):
    """A checkpoint that cannot be used, with every fault of it."""


class Checkpoint(NamedTuple):
    """A network and the heads it was last trained with, by camera."""

    network: Network
    heads: dict[int, Head]


def save_checkpoint(path: Path, network: Network, heads: Mapping[int, Head]) -> None:
    """Write a network and its heads: equal weights give equal bytes.

    The metadata rebuild the network without any params.yaml: the format's version,
    the architecture, the cameras whose styles are known, pixel mean and standard
    deviation, feature size and, for each head, its camera, kind, scale and number of
    classes.
    """
    tensors = {f"network.{k}": _array(v) for k, v in network.state_dict().items()}
    for camid, head in heads.items():
        state = head.state_dict()
        tensors |= {f"heads.{camid}.{k}": _array(v) for k, v in state.items()}
    about = {
        "format": FORMAT,
        "architecture": asdict(network.architecture),
        "camids": network.styles.camids if network.styles else [],
        "mean": network.mean,
        "std": network.std,
        "feature_size": network.feature_size,
        "heads": {camid: _head_metadata(head) for camid, head in heads.items()},
    }
    metadata = {"crosscam": json.dumps(about, sort_keys=True)}
    write_safetensors(path, tensors, metadata)


@dataclass(frozen=True)
class _HeadMetadata:
    """What rebuilds a head."""

    kind: Literal["linear", "cosine"]
    scale: Positive
    num_classes: Count
    neck: bool


@dataclass(frozen=True)
class _Metadata:
    """What rebuilds a network and its heads."""

    format: Literal["crosscam-1"]
    architecture: Architecture
    camids: tuple[Annotated[int, Within(0)], ...]
    heads: dict[str, _HeadMetadata]

    def __post_init__(self) -> None:
        """Check that each head is that of a camera."""
        for camid in self.heads:
            if not re.fullmatch(r"-1|\d{1,9}", camid, re.ASCII):
                raise ValueError(f"heads.{camid}: must be the number of a camera")


def load_checkpoint(path: Path) -> Checkpoint:
    """Rebuild what `save_checkpoint` wrote.

    Nothing takes much more memory than the file: its tensors are compared with what
    its metadata describe before that is built.

    Raises
    ------
    CheckpointError
        If the file is not such a checkpoint, or keys or shapes differ from what its
        own metadata describe.
    """
    tensors, metadata = _read(path)
    about = _metadata(path, metadata)
    try:
        _check_size(about, tensors)
        built = _built(about)
    except (AssertionError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: its metadata describe no network of its own, got {error}: use a"
            " file that the intra or inter stage wrote"
        ) from error
    heads = nn.ModuleDict({str(camid): head for camid, head in built.heads.items()})
    whole = nn.ModuleDict({"network": built.network, "heads": heads})
    _load(whole, tensors, str(path))
    return built


def _metadata(path: Path, metadata: Mapping[str, str]) -> _Metadata:
    known = {
        f.name: f.default for f in fields(Architecture) if f.default is not MISSING
    }
    try:
        tree: Any = json.loads(metadata.get("crosscam", "{}"))
        if isinstance(tree, dict) and isinstance(tree.get("architecture"), dict):
            # Files of before there were these parts do not name them.
            tree.setdefault("camids", [])
            tree["architecture"] = known | tree["architecture"]
        return parse_tree(tree, _Metadata, "  metadata")
    except (ValueError, RecursionError) as error:  # ParamsError is a ValueError
        said = str(error) if isinstance(error, ParamsError) else f"  metadata: {error}"
        raise CheckpointError(
            f"{path}: is not a {FORMAT} checkpoint: use a file that the intra or inter"
            f" stage wrote\n{said}"
        ) from error


def _check_size(about: _Metadata, tensors: Mapping[str, Tensor]) -> None:
    """Raise if the metadata describe a network far larger than the tensors are."""
    model, options = about.architecture.backbone, timm_options(about.architecture)
    with torch.device("meta"):  # shapes without values
        state = timm.create_model(model, num_classes=0, **options).state_dict()
    described = sum(value.numel() for value in state.values())
    found = sum(value.numel() for value in tensors.values())
    if described > found + SLACK:
        raise ValueError(
            f"a backbone of {described:,} values, where the file has {found:,}"
        )
    for camid, head in about.heads.items():
        weight = tensors.get(f"heads.{camid}.weight", torch.empty(0, 0))
        if head.num_classes > len(weight) + SLACK // 100:
            raise ValueError(
                f"head {camid} is of {head.num_classes:,} classes, where its weights"
                f" are of {len(weight):,}"
            )


def _built(about: _Metadata) -> Checkpoint:
    network = Network(about.architecture, about.camids)
    heads = {
        int(camid): Head(
            network.feature_size,
            entry.num_classes,
            HeadParams(kind=entry.kind, scale=entry.scale),
            neck=entry.neck,
        )
        for camid, entry in about.heads.items()
    }
    return Checkpoint(network, heads)


def initial_network(
    architecture: Architecture,
    seed: int,
    weights: str,
    folder: Path,
    camids: Sequence[int] = (),
) -> Network:
    """Return the network that training starts from.

    Parameters
    ----------
    architecture
        What to build.
    seed
        Of the random weights, wherever they are not replaced.
    weights
        ``none``: random; ``timm``: the backbone's pretrained weights, which timm
        downloads or finds in its cache; otherwise the name of a safetensors file in
        `folder`, either a checkpoint of this project or a timm state dict.
    folder
        Where such files are.
    camids
        Cameras whose styles the network learns; those of a checkpoint are not taken.

    Raises
    ------
    CheckpointError
        If the weights are missing, their file says that it is of another backbone, or a
        key or shape of the backbone differs. In excess may be the classifier's keys
        alone, which have no use here; missing, those that GeM pooling and AIBN add to a
        timm model.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(architecture, camids)
    if weights == "none":
        return network
    if weights == "timm":
        tensors, source = _timm_weights(architecture), f"timm's {architecture.backbone}"
    else:
        path = _weights_file(weights, folder)
        tensors, metadata = _read(path)
        source = str(path)
        _check_kin(source, metadata, architecture)
        if "crosscam" in metadata:
            parts = _part(tensors, "network.")
            kept = {k: v for k, v in parts.items() if not k.startswith("styles.")}
            _load(network, kept, source, optional=_styles(network))
            return network
    unused = _classifier_keys(network.backbone, tensors)
    kept = {key: value for key, value in tensors.items() if key not in unused}
    _load(network.backbone, kept, source, optional=_added_keys(network.backbone))
    return network


def untrained(
    architecture: Architecture, seed: int, weights: str, folder: Path
) -> Network:
    """Return the network that training starts from, as it comes: before any surgery.

    With AIBN and without training, a network's statistics are not those of its
    weights, so that the untrained network is the one with the backbone's own norms.

    Parameters
    ----------
    architecture, seed, weights, folder
        As for `initial_network`; a checkpoint of this project is taken whole.

    Raises
    ------
    CheckpointError
        As `initial_network`.
    """
    if weights not in {"none", "timm"}:
        path = _weights_file(weights, folder)
        if "crosscam" in _read(path)[1]:
            return load_checkpoint(path).network
    plain = replace(architecture, aibn="none", tnorm=False)
    return initial_network(plain, seed, weights, folder)


def _weights_file(weights: str, folder: Path) -> Path:
    if Path(weights).name != weights:
        raise CheckpointError(
            f"weights: must be none, timm or the name of a file in {folder}, got "
            f"{weights!r}: copy the file there"
        )
    return folder / weights


def _check_kin(
    source: str, metadata: Mapping[str, str], architecture: Architecture
) -> None:
    """Compare what a file says of itself: keys and shapes may fit all the same.

    Those of resnetblur50 fit a resnet50, and those of a last stride of 1 one of 2.

    Raises
    ------
    CheckpointError
        If it is of another backbone; another stride is a warning.
    """
    own = architecture.backbone.partition(".")[0]  # without timm's tag of weights
    backbone, stride = metadata.get("timm", own), architecture.last_stride
    if "crosscam" in metadata:
        about = _metadata(Path(source), metadata).architecture
        backbone, stride = about.backbone, about.last_stride
    if backbone.partition(".")[0] != own:
        raise CheckpointError(
            f"{source}: is of {backbone}, model.backbone is {architecture.backbone!r}: "
            "set that, or name another file under weights"
        )
    if stride != architecture.last_stride:
        log.warning(
            "%s: was trained with a last stride of %d, model.last_stride is %d",
            *(source, stride, architecture.last_stride),
        )


def _styles(network: Network) -> set[str]:
    """Return the keys of camera styles: they belong to a dataset, not to a network."""
    return {key for key in network.state_dict() if key.startswith("styles.")}


def _added_keys(backbone: nn.Module) -> set[str]:
    """Return the keys of what surgery adds to a timm model."""
    power = {k for k in backbone.state_dict() if k.endswith("global_pool.power")}
    norms = {
        f"{name}.{key}"
        for name, module in backbone.named_modules()
        if isinstance(module, AIBN)
        for key in module.added
    }
    return power | norms


def _timm_weights(architecture: Architecture) -> dict[str, Tensor]:
    """Return the pretrained state dict that timm provides."""
    options = timm_options(architecture)
    try:
        model = timm.create_model(architecture.backbone, pretrained=True, **options)
    except (RuntimeError, OSError) as error:
        raise CheckpointError(
            f"weights: timm has no pretrained weights of "
            f"{architecture.backbone!r} at hand, {error}: connect to a network once, "
            "or name a safetensors file"
        ) from error
    return dict(model.state_dict())


def _classifier_keys(backbone: Any, tensors: Iterable[str]) -> set[str]:
    names = backbone.pretrained_cfg.get("classifier") or ()
    prefixes = [names] if isinstance(names, str) else list(names)
    return {k for k in tensors if any(k.startswith(f"{p}.") for p in prefixes)}


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): value
        for key, value in tensors.items()
        if key.startswith(prefix)
    }


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such file: put the checkpoint there, or run the stage that "
            "writes it"
        )
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: is not a safetensors file, or not all of it, {error}: get it"
            " again, or convert it first"
        ) from error


def _load(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: str,
    optional: Iterable[str] = (),
) -> None:
    """Load a state dict, or name every key and shape that does not fit."""
    _check(module, tensors, source, optional)
    module.load_state_dict(dict(tensors), strict=False)


def _check(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: str,
    optional: Iterable[str] = (),
) -> None:
    expected = module.state_dict()
    faults = [
        f"{key}: missing"
        for key in expected
        if key not in tensors and key not in set(optional)
    ]
    faults += [f"{key}: unexpected" for key in tensors if key not in expected]
    faults += [
        f"{key}: {fault}"
        for key, value in expected.items()
        if key in tensors and (fault := _misfit(tensors[key], value))
    ]
    faults += _unlike_shared(module, tensors)
    if faults:
        raise CheckpointError(
            f"{source}: {len(faults)} keys do not fit the model: is it the right "
            f"backbone, with the right options?\n{listing(faults)}"
        )


def _misfit(value: Tensor, expected: Tensor) -> str | None:
    """Return why a tensor cannot take the place of another, or None."""
    if value.shape != expected.shape:
        return f"shape {tuple(value.shape)}, expected {tuple(expected.shape)}"
    if value.dtype != expected.dtype and not {value.dtype, expected.dtype} <= FLOATS:
        return f"type {value.dtype}, expected {expected.dtype}"
    # What is finite in double precision may not be so in single.
    if not torch.isfinite(value.to(expected.dtype)).all():
        return "holds values that are not finite"
    return None


def listing(faults: Sequence[str]) -> str:
    """Return faults, a line each: the first `MAX_SHOWN_FAULTS`, and how many more."""
    lines = [f"  {fault}" for fault in faults[:MAX_SHOWN_FAULTS]]
    if len(faults) > MAX_SHOWN_FAULTS:
        lines.append(f"  and {len(faults) - MAX_SHOWN_FAULTS} more")
    return "\n".join(lines)


def _unlike_shared(module: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    """Return a fault for each copy of a shared parameter that is not like the first."""
    first: dict[int, str] = {}
    faults = []
    for key, parameter in module.named_parameters(remove_duplicate=False):
        other = first.setdefault(id(parameter), key)
        both = [tensors[name] for name in {key, other} if name in tensors]
        if len(both) == 2 and not torch.equal(*both):
            faults.append(f"{key}: is {other} in the model, and differs from it")
    return faults


def _array(tensor: Tensor) -> Any:
    return tensor.detach().cpu().numpy()


def _head_metadata(head: Head) -> dict[str, Any]:
    return {
        "num_classes": head.weight.shape[0],
        "neck": not isinstance(head.norm, nn.Identity),
        **asdict(head.params),
    }
