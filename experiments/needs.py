"""Say what the run of params.yaml will need, before it starts: time, memory, disk.

Times a pass of each kind with the run's own network on this machine: some seconds, or a
minute or two for a large network on a CPU. ``make recipe NAME=… DATASET=…`` prints it.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from crosscam.data import dukemtmc, market1501, msmt17
from crosscam.experiment.needs import Memory, Plan, Sizes, duration, gigabytes, plan
from crosscam.experiment.timed import NUM_CLUSTERED, Costs, timed_costs
from crosscam.model.checkpoint import initial_network
from crosscam.model.network import Architecture
from crosscam.params import ParamsError, read_params
from crosscam.train.devices import placed, start_device
from crosscam.train.inter import InterParams
from crosscam.train.intra import IntraParams
from crosscam.train.rounds import Setting
from stages.split import SplitParams

PUBLISHED = {
    "market1501": market1501.PUBLISHED,
    "dukemtmc": dukemtmc.PUBLISHED,
    "msmt17": msmt17.PUBLISHED,
}
# Timed are as many images as have the pixels of 8 at 256 × 128, for which ConvNeXt-Tiny
# takes some seconds on one core; of small ones fewer would take longer each.
NUM_PIXELS = 8 * 256 * 128


@dataclass(frozen=True)
class Params(Setting):
    """What is counted and timed."""

    archive: str
    model: Architecture
    split: SplitParams
    intra: IntraParams
    inter: InterParams


def main() -> None:
    """Run the command; every fault ends it with one message and status 1."""
    try:
        p = read_params(Path("params.yaml"), Params)
        sizes = sizes_of(p.archive, p.split.window)
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
    sys.stdout.write(told(p.archive, sizes, found, costs))
    sys.stdout.write(room(memory, device.type, disk_of(p, sizes, weights)))


def sizes_of(archive: str, window: tuple[float, float]) -> Sizes:
    """Return the dataset's sizes: as `unzip` found them, or else as published.

    Raises
    ------
    ParamsError
        If neither is known.
    """
    path = Path("metrics/unzip.json")
    found = json.loads(path.read_text()) if path.exists() else {}
    if found.get("file") == Path(archive).name:
        images = {name: of["images"] for name, of in found["counts"].items()}
        cameras = found["counts"]["train"]["cameras"]
    else:
        dataset = archive.split("/")[1] if archive.count("/") > 1 else archive
        if dataset not in PUBLISHED:
            raise ParamsError(
                f"archive: the sizes of {archive} are not known yet: dvc repro split, "
                "then make needs"
            )
        images = {name: of.images for name, of in PUBLISHED[dataset].items()}
        cameras = PUBLISHED[dataset]["query"].cameras
    train = images.get("train+val") or images["train"]
    num = max(2, round(train * (window[1] - window[0])))
    return Sizes(num, images["query"] + images["gallery"], cameras)


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
    states = {"sgd": 1, "adamw": 2}[p.optim.name]  # tensors per weight
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
    fixed = process + (1 + states) * weights
    return Memory(fixed, held, costs.step_bytes * batch, clustering)


def disk_of(p: Params, sizes: Sizes, weights: int) -> float:
    """Return the bytes of all outputs, each twice: in place and in DVC's cache."""
    zipped = Path(p.archive)
    archive = zipped.stat().st_size if zipped.is_file() else 0
    features = 4 * 2048 * sizes.test
    return 2 * (archive + 2 * weights + features)


def told(archive: str, sizes: Sizes, found: Plan, costs: Costs) -> str:
    """Return the dataset, and how long rounds and the run will take."""
    intra, inter, run = (duration(part.seconds(costs.seconds)) for part in found)
    return (
        f"{archive}: {sizes.train:,} training images of {sizes.cameras} cameras, "
        f"{sizes.test:,} test images\n"
        f"  a round within cameras  {intra}\n  a round across cameras  {inter}\n"
        f"  the whole run           {run}\n"
    )


def room(memory: Memory, device: str, disk: float) -> str:
    """Return memory and disk beside what there is."""
    free = shutil.disk_usage(".").free
    place = "GPU memory" if device == "cuda" else "memory"
    return (
        f"  {place + ', at most':22}  {gigabytes(memory.peak())} "
        f"(images {gigabytes(memory.images)}, a step {gigabytes(memory.step)}, "
        f"clustering {gigabytes(memory.clustering)})\n"
        f"  {'disk':22}  {gigabytes(disk)} of {gigabytes(free)} free\n"
    )


if __name__ == "__main__":
    main()
