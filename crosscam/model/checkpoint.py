"""Networks and heads to safetensors files and back; pretrained weights."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from crosscam.files import write_safetensors
from crosscam.model.aibn import AIBN
from crosscam.model.heads import Head, HeadParams
from crosscam.model.network import Architecture, Network, timm_options

FORMAT = "crosscam-1"


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


def load_checkpoint(path: Path) -> Checkpoint:
    """Rebuild what `save_checkpoint` wrote.

    Raises
    ------
    CheckpointError
        If the file is not such a checkpoint, or keys or shapes differ from what its
        own metadata describe.
    """
    tensors, metadata = _read(path)
    try:
        about = json.loads(metadata["crosscam"])
        _check_format(about["format"])
        tree = about["architecture"]
        tree["image_size"] = tuple(tree["image_size"])
        lists = {k: v for k, v in tree["options"].items() if isinstance(v, list)}
        tree["options"] |= {name: tuple(items) for name, items in lists.items()}
        network = Network(Architecture(**tree), about.get("camids", ()))
        heads = {
            int(camid): Head(
                network.feature_size,
                entry["num_classes"],
                HeadParams(kind=entry["kind"], scale=entry["scale"]),
                neck=entry["neck"],
            )
            for camid, entry in about["heads"].items()
        }
    except (
        AttributeError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise CheckpointError(
            f"{path}: is not a {FORMAT} checkpoint, {type(error).__name__}: {error}: "
            "use a file that the intra or inter stage wrote"
        ) from error
    whole = nn.ModuleDict({
        "network": network,
        "heads": nn.ModuleDict({str(c): h for c, h in heads.items()}),
    })
    _load(whole, tensors, str(path))
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
        If the weights are missing, or a key or shape of the backbone differs. In excess
        may be the classifier's keys alone, which have no use here; missing, those that
        GeM pooling and AIBN add to a timm model.
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


def _check_format(found: str) -> None:
    if found != FORMAT:
        raise ValueError(f"its format is {found!r}")


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
    except SafetensorError as error:
        raise CheckpointError(
            f"{path}: is not a safetensors file, {error}: convert it first"
        ) from error


def _load(
    module: nn.Module,
    tensors: Mapping[str, Tensor],
    source: str,
    optional: Iterable[str] = (),
) -> None:
    """Load a state dict, or name every key and shape that does not fit."""
    expected = module.state_dict()
    faults = [
        f"{key}: missing"
        for key in expected
        if key not in tensors and key not in set(optional)
    ]
    faults += [f"{key}: unexpected" for key in tensors if key not in expected]
    faults += [
        f"{key}: shape {tuple(tensors[key].shape)}, expected {tuple(value.shape)}"
        for key, value in expected.items()
        if key in tensors and tensors[key].shape != value.shape
    ]
    faults += _unlike_shared(module, tensors)
    faults += [
        f"{key}: holds values that are not finite"
        for key, value in tensors.items()
        if value.is_floating_point() and not torch.isfinite(value).all()
    ]
    if faults:
        listing = "\n".join(f"  {fault}" for fault in faults)
        raise CheckpointError(
            f"{source}: {len(faults)} keys do not fit the model: is it the right "
            f"backbone, with the right options?\n{listing}"
        )
    module.load_state_dict(dict(tensors), strict=False)


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
