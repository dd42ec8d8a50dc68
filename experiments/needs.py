"""Say what the run of params.yaml will need, before it starts: time, memory, disk.

Times a pass of each kind with the run's own network on this machine: some seconds, or a
minute or two for a large network on a CPU. ``make recipe NAME=… DATASET=…`` prints it.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from crosscam.cluster.on_device import fits
from crosscam.data import dukemtmc, market1501, msmt17
from crosscam.experiment.needs import Memory, Plan, Sizes, duration, gigabytes, plan
from crosscam.experiment.timed import NUM_CLUSTERED, Costs, timed_costs
from crosscam.model.checkpoint import initial_network
from crosscam.model.network import Architecture
from crosscam.params import ParamsError, read_params
from crosscam.synthetic.plan import World, plan_shots
from crosscam.train.devices import placed, start_device
from crosscam.train.inter import InterParams
from crosscam.train.intra import IntraParams
from crosscam.train.resume import STATES
from crosscam.train.rounds import Setting
from experiments.seeds import SYNTHETIC
from stages.split import SplitParams

PUBLISHED = {
    "market1501": market1501.PUBLISHED,
    "dukemtmc": dukemtmc.PUBLISHED,
    "msmt17": msmt17.PUBLISHED,
}
# Of MSMT17's training images, which are counted together.
LISTS = {"train": 30_248, "val": 2_373}
# Timed are as many images as have the pixels of 8 at 256 × 128, for which ConvNeXt-Tiny
# takes some seconds on one core; of small ones fewer would take longer each.
NUM_PIXELS = 8 * 256 * 128


@dataclass(frozen=True)
class Params(Setting):
    """What is counted and timed."""

    archive: str
    synthesize: World
    model: Architecture
    split: SplitParams
    intra: IntraParams
    inter: InterParams


def main() -> None:
    """Run the command; every fault ends it with one message and status 1."""
    try:
        p = read_params(Path("params.yaml"), Params)
        sizes = sizes_of(p)
        if sizes is None:
            sys.stdout.write(
                f"{p.archive}: what the run will need is not known before its images "
                "are counted: dvc repro split, then make needs\n"
            )
            return
        device = start_device(p.compute)
        network = initial_network(p.model, p.seed, "none", Path(), range(sizes.cameras))
        placed(network, p.compute, device)
    except ParamsError as error:
        raise SystemExit(str(error)) from None
    height, width = p.model.image_size
    num_images = min(256, max(4, NUM_PIXELS // (height * width)))
    scores = num_scores(p.intra, sizes)
    costs = timed_costs(network, p, p.inter, num_images, scores)
    weights = 4 * sum(parameter.numel() for parameter in network.parameters())
    found = plan(
        sizes,
        p.intra,
        p.inter,
        views=views_of(p),
        tnorm=p.model.tnorm,
        new_heads=p.head.kind == "cosine",
    )
    memory = memory_of(p, sizes, costs, weights)
    memory = memory._replace(distances=distances_on(device, p, sizes))
    disk = disk_of(p, sizes, weights, network.feature_size)
    there = Path(p.archive).exists()
    sys.stdout.write(told(p.archive, sizes, found, costs))
    sys.stdout.write(room(memory, device.type, disk, archive_there=there))


def sizes_of(p: Params) -> Sizes | None:
    """Return the dataset's sizes: as drawn, as `unzip` found them, or as published.

    None if none of these is known.
    """
    images = _drawn(p) or _found(p.archive) or _published(p.archive)
    if images is None:
        return None
    counts, cameras = images
    start, stop = p.split.window
    train = sum(counts.get(name, 0) for name in p.split.train_lists)
    num = max(2, round(train * (stop - start)))
    return Sizes(num, counts["query"] + counts["gallery"], cameras)


def _drawn(p: Params) -> tuple[Mapping[str, int], int] | None:
    """Return the images of each subset and the cameras of the synthetic world."""
    if p.archive != SYNTHETIC:
        return None
    shots = plan_shots(p.synthesize)
    return Counter(shot.subset for shot in shots), len({shot.camid for shot in shots})


def _found(archive: str) -> tuple[Mapping[str, int], int] | None:
    """Return the same of the archive that was unpacked last, if it is this one."""
    lock, found = Path("dvc.lock"), Path("metrics/unzip.json")
    # metrics/unzip.json has the name without the folder.
    if not lock.exists() or f"- path: {archive}\n" not in lock.read_text("utf-8"):
        return None
    counts = json.loads(found.read_text())["counts"] if found.exists() else None
    if not counts:
        return None
    return {n: of["images"] for n, of in counts.items()}, counts["train"]["cameras"]


def _published(archive: str) -> tuple[Mapping[str, int], int] | None:
    """Return the same of a dataset that is known by its folder."""
    dataset = next(iter(Path(archive).parts[1:2]), "")
    if dataset not in PUBLISHED:
        return None
    counts = {name: of.images for name, of in PUBLISHED[dataset].items()}
    lists = LISTS if dataset == "msmt17" else {}
    return counts | lists, PUBLISHED[dataset]["query"].cameras


def num_scores(intra: IntraParams, sizes: Sizes) -> int:
    """Return about how many clusters the heads of all cameras will tell apart."""
    if intra.clusters.by == "count":
        most = max(1, sizes.train // sizes.cameras // 2)
        return sizes.cameras * min(intra.clusters.num_clusters, most)
    return max(1, sizes.train // 4)  # of how many images they are shows in training


def views_of(p: Params) -> tuple[int, int]:
    """Return how many views of an image a step takes, in both phases."""
    soft = p.distil.cross_entropy > 0
    return 1 + soft, 1 + (soft or p.distil.triplet > 0)


def memory_of(p: Params, sizes: Sizes, costs: Costs, weights: int) -> Memory:
    """Return the memory of training."""
    states = {"sgd": 1, "adamw": 2}[p.optim.name]  # per weight, beside its gradient
    process = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    height, width = p.model.image_size
    images = 3 * height * width * sizes.train
    held = images if images <= 1e9 * p.compute.image_cache_gb else 0
    views = views_of(p)
    batch = max(
        views[0] * p.intra.batch_per_camera * sizes.cameras,
        views[1] * p.inter.num_pids_per_batch * p.inter.num_instances,
    )
    # By density each image has its neighbours, and there is nothing of all pairs.
    others = NUM_CLUSTERED if p.inter.clusters.by == "density" else sizes.train
    clustering = costs.pair_bytes * sizes.train * others
    step = costs.step_bytes * batch
    return Memory(process, (2 + states) * weights, held, step, clustering)


def distances_on(device: torch.device, p: Params, sizes: Sizes) -> int:
    """Return the bytes of distances between all images on a GPU; 0 if none are there.

    A GPU too small for them leaves them to the processor; by density there are none.
    """
    by_density = p.inter.clusters.by == "density"
    if device.type != "cuda" or by_density or not fits(sizes.train, device):
        return 0
    return 4 * sizes.train**2


def disk_of(p: Params, sizes: Sizes, weights: int, feature_size: int) -> float:
    """Return the bytes of what is large: results, and the states of unfinished runs.

    Results are twice there, in place and in DVC's cache: the packed images, about as
    large as the archive (0 while that is not there), two checkpoints and the features.
    """
    given = Path(p.archive)
    files = [*given.rglob("*")] if given.is_dir() else [given]
    images = sum(file.stat().st_size for file in files if file.is_file())
    results = images + 2 * weights + 4 * feature_size * sizes.test
    return 2 * results + STATES * weights


def told(archive: str, sizes: Sizes, found: Plan, costs: Costs) -> str:
    """Return the dataset, and how long rounds and the run will take."""
    intra, inter, run = (duration(part.seconds(costs.seconds)) for part in found)
    return (
        f"{archive}: {sizes.train:,} training images of {sizes.cameras} cameras, "
        f"{sizes.test:,} test images\n"
        f"  a round within cameras  {intra}\n  a round across cameras  {inter}\n"
        f"  the whole run           {run}\n"
    )


def room(memory: Memory, device: str, disk: float, *, archive_there: bool) -> str:
    """Return memory and disk beside what there is."""
    on_gpu = f"images {gigabytes(memory.images)}, a step {gigabytes(memory.step)}"
    clustering = f"clustering {gigabytes(memory.clustering)}"
    if device == "cuda":
        if memory.distances:
            on_gpu += f", or distances {gigabytes(memory.distances)}"
        lines = [
            ("GPU memory, at most", f"{gigabytes(memory.on_gpu())} ({on_gpu})"),
            ("memory, at most", f"{gigabytes(memory.beside_gpu())} ({clustering})"),
        ]
    else:
        most = gigabytes(memory.alone())
        lines = [("memory, at most", f"{most} ({on_gpu}, {clustering})")]
    free = shutil.disk_usage(".").free
    unknown = "" if archive_there else ", and the archive twice, which is not there yet"
    lines.append(("disk", f"{gigabytes(disk)} of {gigabytes(free)} free{unknown}"))
    return "".join(f"  {name:22}  {value}\n" for name, value in lines)


if __name__ == "__main__":
    main()
