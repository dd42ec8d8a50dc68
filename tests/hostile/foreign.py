"""Checkpoints of other programs that the converter must refuse."""

from __future__ import annotations

import io
import pickle
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from tests.hostile.case import cases
from tests.hostile.checkpoints import Evil, timm_state

FOREIGN = "models/foreign.pth"


def state() -> dict[str, Any]:
    """Return a state dict that is sound."""
    return {key: torch.from_numpy(value) for key, value in timm_state().items()}


def saved(folder: Path, content: Any, **options: Any) -> None:
    """Write a file of torch.save."""
    torch.save(content, folder / FOREIGN, **options)


def code_in_a_checkpoint(folder: Path) -> None:
    """A state dict, and beside it an object that runs a program when loaded."""
    saved(folder, {"state_dict": state(), "epoch": Evil()})


def code_in_an_old_checkpoint(folder: Path) -> None:
    """The same in the form of torch 1.5."""
    saved(
        folder,
        {"state_dict": state(), "epoch": Evil()},
        _use_new_zipfile_serialization=False,
    )


def code_in_a_bare_pickle(folder: Path) -> None:
    """A pickle of Python with code in it."""
    (folder / FOREIGN).write_bytes(pickle.dumps(Evil()))


def object_of_a_class(folder: Path) -> None:
    """A whole model, which only its program's code could rebuild."""
    saved(folder, torch.nn.Linear(2, 2))


def program_of_torchscript(folder: Path) -> None:
    """A program of TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is to go
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / FOREIGN)


def tar_that_climbs(folder: Path) -> None:
    """The form of torch 0.1, a tar, with a member that climbs out of it."""
    with tarfile.open(folder / FOREIGN, "w") as archive:
        for name in ("storages", "tensors", "pickle", "../canary/evil"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())


def bomb_in_a_checkpoint(folder: Path) -> None:
    """A file of torch.save whose tensors are compressed 1,000 times."""
    saved(folder, {"layer": torch.zeros(10**6)})
    with zipfile.ZipFile(folder / FOREIGN) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(folder / FOREIGN, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def tensor_that_repeats_itself(folder: Path) -> None:
    """A tensor of terabytes whose rows are all the same four bytes."""
    saved(folder, {"layer": torch.zeros(1).expand(10**9, 10**3)})


def no_state_dict(folder: Path) -> None:
    """Numbers and texts, but no tensor."""
    saved(folder, {"epoch": 3, "score": 0.5})


def entries_that_are_no_tensors(folder: Path) -> None:
    """A state dict with a list, a sparse and a complex tensor."""
    odd = {
        "a": [1, 2],
        "b": torch.zeros(2, 2).to_sparse(),
        "c": torch.zeros(2, dtype=torch.complex64),
    }
    saved(folder, state() | odd)


def foreign_cut_short(folder: Path) -> None:
    """Half a file of torch.save."""
    saved(folder, state())
    data = (folder / FOREIGN).read_bytes()
    (folder / FOREIGN).write_bytes(data[: len(data) // 2])


def text_for_a_checkpoint(folder: Path) -> None:
    """A text."""
    (folder / FOREIGN).write_text("version https://git-lfs.github.com/spec/v1\n")


def no_foreign_checkpoint(folder: Path) -> None:
    """A name of no file."""
    assert not (folder / FOREIGN).exists()


def network_of_unknown_form(folder: Path) -> None:
    """Tensors of a network that timm does not have."""
    saved(folder, {"conv1.conv.weight": torch.zeros(2), "conv2.0.bias": torch.zeros(2)})


CONVERT = "crosscam.model.convert models/foreign.pth models/new.safetensors"
ANY = cases(
    "foreign checkpoints",
    CONVERT,
    code_in_a_checkpoint,
    code_in_an_old_checkpoint,
    code_in_a_bare_pickle,
    object_of_a_class,
    program_of_torchscript,
    tar_that_climbs,
    bomb_in_a_checkpoint,
    tensor_that_repeats_itself,
    no_state_dict,
    entries_that_are_no_tensors,
    foreign_cut_short,
    text_for_a_checkpoint,
    no_foreign_checkpoint,
    network_of_unknown_form,
)


def foreign_weights_of_nan(folder: Path) -> None:
    """Weights that are not numbers."""
    saved(folder, state() | {"stem.0.bias": torch.full((24,), torch.nan)})


def foreign_weights_that_overflow(folder: Path) -> None:
    """Weights in double precision that are infinite in single."""
    weight = torch.full((24,), 1e300, dtype=torch.float64)
    saved(folder, state() | {"stem.0.bias": weight})


def foreign_keys_that_do_not_fit(folder: Path) -> None:
    """Tensors missing, in excess and of another shape, all told at once."""
    tensors = state() | {"evil": torch.zeros(2), "stem.0.bias": torch.zeros(7)}
    del tensors["stem.0.weight"]
    saved(folder, tensors)


def key_in_two_spellings(folder: Path) -> None:
    """Two keys that mean one tensor."""
    saved(folder, state() | {"model.stem.0.bias": torch.zeros(24)})


KNOWN = cases(
    "foreign checkpoints",
    f"{CONVERT} --backbone test_convnext",
    foreign_weights_of_nan,
    foreign_weights_that_overflow,
    foreign_keys_that_do_not_fit,
    key_in_two_spellings,
)


def target_that_exists(folder: Path) -> None:
    """A file where the result would go."""
    saved(folder, state())
    (folder / "models/new.safetensors").write_text("dear to somebody")


CASES = (*ANY, *KNOWN, *cases("foreign checkpoints", CONVERT, target_that_exists))
