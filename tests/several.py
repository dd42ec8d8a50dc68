"""Work on several processes, each forked from this one: `python -m tests.several FILE`.

A process of its own, as neither numba's nor torch's threads outlive a fork: here none
has begun. And one for all cases, as to load the libraries takes longer than most.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from timm.layers.drop import DropPath
from timm.layers.evo_norm import EvoNorm2dB0
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from crosscam import helpers
from crosscam.kernel import set_threads
from crosscam.model import whole_batch
from crosscam.model.heads import HeadParams
from crosscam.model.network import ShiftlessNorm
from crosscam.model.whole_batch import see_whole_batch
from crosscam.params import ParamsError
from crosscam.processes import copied, from_first, group, rank, world_size
from crosscam.shares import (
    at_first,
    check_batch,
    collected,
    dealt,
    gathered,
    part,
    passes,
    summed,
)
from crosscam.stage import as_stage, several
from crosscam.train import optimise
from crosscam.train.alternate import alternate
from crosscam.train.devices import ComputeParams, placed
from crosscam.train.gradients import share_gradients
from crosscam.train.intra import intra_round
from crosscam.train.optimise import OptimParams
from crosscam.train.progress import Progress
from crosscam.train.resume import KeptRun
from tests.tiny import (
    DISTILLED,
    FIRST_INTRA,
    INTER,
    INTRA,
    WHOLE,
    tiny_images,
    tiny_network,
)

SGD = OptimParams("sgd", 0.9, 0.0005, 0.5, "cosine")
SETTING = replace(DISTILLED, optim=SGD)
# As in the default recipe: a random network's features differ from image to image.
OPTIONS = {"drop_path_rate": 0.1, "ls_init_value": 0.1}
FEATURE = replace(WHOLE, options=OPTIONS, aibn_mix=0.9)
HEAD = replace(FEATURE, neck="head")
BATCH_NORMS = replace(WHOLE, backbone="test_resnet", options={}, neck="head")
LINEAR = replace(SETTING, head=HeadParams("linear", 1.0))
LR = 0.0001
LOWER = 0.00001  # no layer scale holds a change of rounding down: 4e-4 of weights at LR
WITHIN = replace(INTRA, batch_per_camera=14)  # batches of 42 and 3


def in_processes(size: int, work: Callable[[], Any]) -> list[Any]:
    """Return what each of so many processes makes of the same work."""
    with tempfile.TemporaryDirectory() as folder:
        forked = [_fork(Path(folder), number, size, work) for number in range(size)]
        ended = [os.waitpid(process, 0)[1] for process in forked]
        if any(ended):
            raise RuntimeError(f"{work} in {size} processes: ended with {ended}")
        files = (Path(folder) / f"{number}" for number in range(size))
        return [pickle.loads(file.read_bytes()) for file in files]  # noqa: S301 (ours)


def _fork(folder: Path, number: int, size: int, work: Callable[[], Any]) -> int:
    if process := os.fork():
        return process
    try:
        # As stages do: numba's threads would set torch's in the process that clusters.
        set_threads(1)
        torch.set_num_threads(1)
        store = dist.FileStore(str(folder / "store"), size)
        place = number, size
        joined = group(store, *place, place) if size > 1 else nullcontext()
        with joined:
            made = work()
        (folder / f"{number}").write_bytes(pickle.dumps(made))
        os._exit(0)
    except BaseException:  # noqa: BLE001 (whatever it is, no fork may return)
        traceback.print_exc()
        os._exit(1)


def trained(
    architecture: Any,
    setting: Any,
    run: KeptRun | None = None,
    *,
    rounds: int = 2,
    lr: float = LR,
) -> Any:
    """Run an intra and inter rounds with intra ones between; return what came."""
    network, images = tiny_network(architecture), tiny_images()
    progress = run.progress(network, setting.head) if run else Progress(network)
    within = replace(WITHIN, lr=lr)
    given = images, within, setting, FIRST_INTRA, 1, lr
    heads = intra_round(network, *given, progress).heads
    inter = replace(INTER, intra_epochs=1, lr=lr, rounds=rounds)
    told = alternate(network, heads, images, within, inter, setting, progress)
    weights = {**network.state_dict(), **told[-1][1].heads[-1].state_dict()}
    return {
        "losses": [epoch.loss for _, done in told for epoch in done.epochs],
        "labels": np.stack([done.pseudo_labels for _, done in told]),
        "weights": {name: value.numpy() for name, value in weights.items()},
    }


def within_cameras(architecture: Any, setting: Any) -> list[float]:
    """Return the loss of an intra round's epoch."""
    network, images = tiny_network(architecture), tiny_images()
    progress = Progress(network)
    done = intra_round(network, images, WITHIN, setting, FIRST_INTRA, 1, LR, progress)
    return [epoch.loss for epoch in done.epochs]


def unsynchronised(name: str) -> Callable[[], Any]:
    """Return an intra round in which one thing is left to each process alone."""

    def work() -> Any:
        if name == "moments":
            size = world_size()
            whole_batch.summed = lambda values: values * size
        else:
            optimise.share_gradients = lambda *_: None
        return within_cameras(FEATURE, SETTING)

    return work


def normed() -> list[Any]:
    """Return what batch norms and drop path make of a batch of five, and gradients."""
    made = []
    for kind in (nn.BatchNorm2d, nn.BatchNorm1d, BatchNormAct2d, ShiftlessNorm):
        torch.manual_seed(3)
        shape = (5, 4, 3, 2) if kind in {nn.BatchNorm2d, BatchNormAct2d} else (5, 4)
        model = nn.Sequential(kind(4), DropPath(0.5), kind(4))
        model[2].momentum = None
        see_whole_batch(model, "it", ShiftlessNorm)
        maps = (torch.randn(shape) * 3 + 10).requires_grad_()
        wanted = torch.randn(shape)
        for _ in range(2):
            with dealt(5):
                features = gathered(model(maps[part(5)]), 5)
                (features * wanted).sum().backward()
        share_gradients([maps, *model.parameters()], [])
        gradients = [p.grad for p in (maps, *model.parameters())]
        values = [features.detach(), *gradients, *model.state_dict().values()]
        seen = model.eval()(maps.detach()[:1])
        kept = {key: value.numpy() for key, value in model.state_dict().items()}
        made.append((
            [v.numpy() for v in (*values, seen.detach()) if v is not None],
            kept,
        ))
    return made


def refused() -> list[str]:
    """Return what is said of what several processes cannot do."""
    said = []
    for layer in (nn.Dropout(0.1), EvoNorm2dB0(4), nn.BatchNorm2d(4, affine=False)):
        try:
            see_whole_batch(nn.Sequential(layer, nn.Dropout(0.0)), "it")
        except ParamsError as error:
            said.append(str(error))
    try:
        check_batch(2, "inter.num_instances")
    except ParamsError as error:
        said.append(str(error))
    try:
        compiled = ComputeParams("cpu", 1, 1.0, 64, compile=True)
        placed(tiny_network(WHOLE), compiled, torch.device("cpu"))
    except ParamsError as error:
        said.append(str(error))
    return said


def shared() -> dict[str, Any]:
    """Return what goes between processes."""
    rows = torch.arange(7.0)[part(7), None].requires_grad_()
    with dealt(7):
        every = gathered(rows, 7)
        (every.sum() * (rank() + 1)).backward()
        total = summed(torch.tensor([1.0 + rank()], requires_grad=True))
    with dealt(1):
        alone = part(1), summed(torch.ones(1)), gathered(torch.ones(1), 1)
    starts = passes(10, 3)
    local = torch.cat(
        [torch.arange(s, min(s + 3, 10)) for s in [*starts]] or [rows[:0]]
    )
    tensors = [torch.full((2, 3), float(rank())).T, torch.tensor(rank())]
    copied(tensors)
    return {
        "part": part(7),
        "gathered": every.detach().flatten().tolist(),
        "gradient": rows.grad.flatten().tolist(),
        "summed": total.item(),
        "alone": (alone[0], alone[1].item(), alone[2].item()),
        "passes": [*starts],
        "collected": collected(local.long(), 10, 3).tolist(),
        "at first": at_first(local.long(), 10, 3).tolist(),
        "from first": from_first(lambda: {"rank": rank()}),
        "copied": [tensor.tolist() for tensor in tensors],
    }


def ended(size: int, work: Callable[[], Any], folder: Path) -> tuple[list[int], str]:
    """Run work as a stage with what torchrun sets; return statuses and what it said."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    said = folder / "said"
    processes = []
    for number in range(size):
        if process := os.fork():
            processes.append(process)
            continue
        os.dup2(os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND), 2)
        places = {"RANK": number, "WORLD_SIZE": size, "MASTER_PORT": store.port}
        os.environ |= {name: str(value) for name, value in places.items()}
        os.environ |= {
            "MASTER_ADDR": "127.0.0.1",
            "TORCHELASTIC_USE_AGENT_STORE": "True",
        }
        with as_stage(ParamsError), several(1, "nothing"):
            work()
        os._exit(0)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in processes]
    return statuses, said.read_text()


def one_fails(error: Exception) -> Callable[[], Any]:
    def work() -> None:
        if rank() == 1:
            raise error
        from_first(lambda: time.sleep(3))

    return work


def all_fail() -> None:
    raise ParamsError("what to do")


def one_is_killed() -> None:
    if rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    collected(torch.ones(2), 6, 2)


class KilledRun(KeptRun):
    """A run whose first process is killed once it has kept three states."""

    kept = 0

    def keep(self, progress: Any) -> None:
        super().keep(progress)
        self.kept += 1
        if self.kept == 3 and rank() == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def resumed(folder: Path) -> Any:
    """Return what three processes make of a run that two have begun."""
    runs = folder / "run"
    statuses, _ = ended(2, lambda: trained(FEATURE, SETTING, KilledRun(runs)), folder)
    return statuses, in_processes(3, lambda: trained(FEATURE, SETTING, KeptRun(runs)))


def main() -> None:
    """Run all cases, and write what came of them."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    helpers.stay_inside()
    helpers.GRACE = 1.0
    made: dict[str, Any] = {}
    for size in (1, 2, 4):
        work = partial(trained, FEATURE, SETTING)
        made[f"feature {size}"] = in_processes(size, work)
    for size in (1, 2):
        work = partial(trained, HEAD, LINEAR, rounds=1)
        made[f"head {size}"] = in_processes(size, work)
    for size in (1, 2, 4):
        work = partial(trained, BATCH_NORMS, SETTING, rounds=1, lr=LOWER)
        made[f"batch norms {size}"] = in_processes(size, work)
    for size in (1, 2):
        work = partial(trained, FEATURE, DISTILLED, rounds=1, lr=INTRA.lr)
        made[f"adamw {size}"] = in_processes(size, work)
    made["within"] = in_processes(1, lambda: within_cameras(FEATURE, SETTING))
    for name in ("moments", "gradients"):
        made[f"without {name}"] = in_processes(2, unsynchronised(name))
    made["normed 1"], made["normed 3"] = (in_processes(n, normed) for n in (1, 3))
    made["refused"], made["shared"] = in_processes(4, refused), in_processes(4, shared)
    with tempfile.TemporaryDirectory() as folder:
        made["resumed"] = resumed(Path(folder))
    failing = {
        "clear": one_fails(ParamsError("what to do")),
        "unknown": one_fails(KeyError("what?")),
        "all": all_fail,
        "killed": one_is_killed,
    }
    for name, work in failing.items():
        with tempfile.TemporaryDirectory() as folder:
            made[name] = ended(3, work, Path(folder))
    Path(sys.argv[1]).write_bytes(pickle.dumps(made))


if __name__ == "__main__":
    main()
