"""Checkpoints of other programs made into files that this project reads.

Run as ``python -m crosscam.model.convert IN OUT``; see docs/checkpoints.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import timm
from torch import Tensor

from crosscam.files import write_safetensors
from crosscam.model.checkpoint import Checkpoint, CheckpointError, save_checkpoint
from crosscam.model.convert.fitting import fill
from crosscam.model.convert.foreign import read_foreign
from crosscam.model.convert.forms import Form, Hints, recognised
from crosscam.model.convert.trained import trained
from crosscam.model.heads import ALL_CAMERAS
from crosscam.params import ParamsError

CLASSIFIERS = ("fc.", "classifier.", "head.fc.")  # in timm, torchvision and torchreid


class Converted(NamedTuple):
    """A foreign checkpoint as this project has them.

    Parameters
    ----------
    form
        What it was found to be.
    weights
        A whole checkpoint, or the state dict of a timm model.
    num_used
        Number of tensors that were taken over.
    left_out
        Reason to the names of the file's other entries.
    """

    form: Form
    weights: Checkpoint | dict[str, Tensor]
    num_used: int
    left_out: dict[str, list[str]]


def convert(source: Path, hints: Hints) -> Converted:
    """Return a foreign checkpoint in a form of this project.

    Parameters
    ----------
    source
        File of torch or safetensors.
    hints
        What cannot be seen in it.

    Raises
    ------
    CheckpointError
        If the file cannot be read safely, its form is unknown, or a key, a shape or a
        value is not what its form needs: all such faults at once.
    ParamsError
        If the network does not take images of this size.
    """
    foreign = read_foreign(source)
    try:
        form = recognised(foreign.tensors, hints.backbone)
        given = {name: foreign.tensors[key] for name, key in form.names.items()}
        weights, unused = (trained if form.whole else _timm_weights)(form, given, hints)
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from error
    left_out = {why: [form.names[n] for n in names] for why, names in unused.items()}
    num_used = len(given) - sum(len(names) for names in left_out.values())
    return Converted(form, weights, num_used, {"no weights": foreign.beside} | left_out)


def _timm_weights(
    form: Form, given: Mapping[str, Tensor], hints: Hints
) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """Return a timm state dict without classifier, and the classifier's names."""
    if hints.camids is not None:
        raise CheckpointError(
            f"--camids: the file holds no cameras, got {list(hints.camids)}: omit it"
        )
    state = timm.create_model(form.backbone, num_classes=0).state_dict()
    unused = [n for n in given if n.startswith(CLASSIFIERS) and n not in state]
    used = {name: value for name, value in given.items() if name not in unused}
    fill(state, used, form.names)
    return state, {"classifier, of no use here": unused}


def write_converted(path: Path, converted: Converted) -> None:
    """Write what `convert` returned, atomically: equal weights give equal bytes."""
    weights = converted.weights
    if isinstance(weights, Checkpoint):
        save_checkpoint(path, weights.network, weights.heads)
    else:
        arrays = {key: value.numpy() for key, value in weights.items()}
        write_safetensors(path, arrays, {"timm": converted.form.backbone})


def report(converted: Converted) -> str:
    """Return what was recognised, and how much of it was used and left out."""
    form, weights = converted.form, converted.weights
    lines = [f"recognised: {form.family}, {form.backbone} in timm"]
    if isinstance(weights, Checkpoint):
        network = weights.network.architecture
        styles = weights.network.styles
        lines += [
            f"aibn: {network.aibn}",
            f"last stride: {network.last_stride} (not in the file; --last-stride)",
            f"camera styles: {list(styles.camids) if styles else 'none'}",
            f"heads: {', '.join(map(_camera, weights.heads)) or 'none'}",
        ]
    lines.append(f"used: {converted.num_used} tensors")
    lines += [
        f"left out ({why}): {', '.join(names)}"
        for why, names in converted.left_out.items()
        if names
    ]
    return "".join(f"{line}\n" for line in lines)


def _camera(camid: int) -> str:
    return "all cameras" if camid == ALL_CAMERAS else f"camera {camid}"


def main() -> None:
    """Run the command.

    Raises
    ------
    CheckpointError
        If OUT is there already or is no .safetensors file, or as `convert`.
    """
    parser = argparse.ArgumentParser(
        prog="python -m crosscam.model.convert", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("source", type=Path, metavar="IN", help="file of torch or safetensors")
    add("target", type=Path, metavar="OUT", help=".safetensors file to write")
    size = Hints().image_size
    add("--image-size", type=int, nargs=2, metavar=("H", "W"), default=size)
    add(
        "--camids", type=int, nargs="+", metavar="C", help="in the file's order, from 0"
    )
    add("--last-stride", type=int, choices=(1, 2), help="of a trained network")
    add("--backbone", metavar="NAME", help="timm model, where it is not recognised")
    add("--force", action="store_true", help="overwrite OUT")
    p = parser.parse_args()
    if p.target.suffix != ".safetensors":
        raise CheckpointError(f"OUT: must end in .safetensors, got {str(p.target)!r}")
    if p.target.exists() and not p.force:
        raise CheckpointError(f"{p.target}: exists: choose another, or give --force")
    camids = None if p.camids is None else tuple(p.camids)
    hints = Hints(tuple(p.image_size), camids, p.backbone, p.last_stride)
    converted = convert(p.source, hints)
    write_converted(p.target, converted)
    sys.stdout.write(f"{report(converted)}wrote: {p.target}\n")


if __name__ == "__main__":
    try:
        main()
    except (CheckpointError, ParamsError) as error:
        raise SystemExit(str(error)) from None
