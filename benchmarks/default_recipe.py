"""The default recipe over dataset seeds and training seeds, stage by stage.

Run ``python -m benchmarks.default_recipe``: writes results/default_recipe.json here
and puts its table into README.md. Each run is what `dvc repro` does, with other seeds,
and one more: training with the true identities, with as many images as both stages see.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from benchmarks.histogram import row_of
from crosscam.data.images import decode_all
from crosscam.data.packed import PackedImages
from crosscam.experiment.tables import between_marks
from crosscam.files import write_bytes, write_json
from crosscam.model.checkpoint import initial_network, load_checkpoint, untrained
from crosscam.model.network import Network
from crosscam.params import read_params
from crosscam.rank import evaluation
from crosscam.rank.feature_set import feature_set
from crosscam.synthetic.plan import World
from crosscam.train.features import features, raw_features
from crosscam.train.inter import clusters_of, train_on
from crosscam.train.measure import measure_norms, measure_styles
from crosscam.train.progress import Position, Progress
from crosscam.train.rounds import training_set
from stages import evaluate, inter, intra, split, synthesize, unzip

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks/results/default_recipe.json"
README = ROOT / "README.md"
ROWS = {
    "histogram": "colour histogram, colours normalised per camera",
    "untrained": "untrained network",
    "intra": "after the intra-camera stage",
    "inter": "**after the inter-camera stage**",
    "supervised": "*trained with the true identities*",
}
Scores = dict[str, dict[str, float]]


def main() -> None:
    """Run all seeds, or only write the table of the results there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset-seeds", type=int, nargs="+", default=[10, 11])
    parser.add_argument("--seeds", type=int, nargs="+", default=[10, 11, 12])
    parser.add_argument("--table-only", action="store_true")
    arguments = parser.parse_args()
    datasets = arguments.dataset_seeds
    if not arguments.table_only:
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            parts = pool.map(partial(runs_on, seeds=arguments.seeds), datasets)
            runs = [run for part in parts for run in part]
        write_json(RESULTS, runs)
    text = with_table(README.read_text(), json.loads(RESULTS.read_text()))
    write_bytes(README, text.encode())


def runs_on(dataset_seed: int, seeds: list[int]) -> list[dict[str, Any]]:
    """Return the scores of each training seed on one dataset."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        write_bytes(Path("models/weights/none"), b"")  # stands for random weights
        set_params(synthesize={"seed": dataset_seed})
        for stage in (synthesize, unzip, split):
            stage.main()
        world = read_params(Path("params.yaml"), synthesize.Params).synthesize
        histogram = histogram_scores(world)
        for seed in seeds:
            set_params(synthesize={"seed": dataset_seed}, seed=seed)
            scores = {"histogram": histogram, **scores_of_stages()}
            runs.append({"dataset_seed": dataset_seed, "seed": seed, **scores})
            print(runs[-1], flush=True)
    return runs


def set_params(**changes: Any) -> None:
    """Write params.yaml with some keys of the default changed."""
    yaml = YAML()
    tree = yaml.load(ROOT / "recipes/default.yaml")
    for key, value in changes.items():
        if isinstance(value, dict):
            tree[key].update(value)
        else:
            tree[key] = value
    yaml.dump(tree, Path("params.yaml"))


def histogram_scores(world: World) -> dict[str, float]:
    """Return the better of the two histograms: with normalised colours."""
    _, _, mAP, rank1, _ = row_of(world)
    return {"mAP": mAP, "rank1": rank1}


def scores_of_stages() -> Scores:
    """Train, and return the scores before, between and after the stages."""
    p = read_params(Path("params.yaml"), intra.Params)
    network = untrained(p.model, p.seed, p.weights, Path("models/weights"))
    scores = {"untrained": scores_of(network)}
    for stage in (intra, inter):
        stage.main()
        name = stage.__name__.rpartition(".")[2]
        network = load_checkpoint(Path(f"models/{name}.safetensors")).network
        scores[name] = scores_of(network)
    return {**scores, "supervised": scores_of(supervised())}


def scores_of(network: Network) -> dict[str, float]:
    """Return mAP and rank-1 of a network, as the stages extract and evaluate do."""
    p = read_params(Path("params.yaml"), evaluate.Params).evaluate
    packed = PackedImages(Path("data/packed/images.bin"))
    sets = []
    for subset in ("query", "gallery"):
        table = pd.read_csv(f"data/split/{subset}.csv")
        pixels = decode_all(packed, table, network.architecture.image_size, 8.0)
        camids = table["camid"].to_numpy()
        sets.append(feature_set(features(network, pixels, 256, camids), table))
    metrics = evaluation.evaluate(*sets, p).metrics
    return {key: metrics[key] for key in ("mAP", "rank1")}


def supervised() -> Network:
    """Train on the true identities for as many images as both stages saw."""
    p = read_params(Path("params.yaml"), intra.Params)
    q = read_params(Path("params.yaml"), inter.Params).inter
    table = pd.read_csv("data/split/train.csv")
    packed = PackedImages(Path("data/packed/images.bin"))
    on_cpu = dataclasses.replace(p.compute, device="cpu")
    images = training_set(packed, table, p.model, on_cpu, q.clusters)
    camids, size = np.unique(images.camids).tolist(), p.compute.batch_size
    weights = Path("models/weights")
    network = initial_network(p.model, p.seed, p.weights, weights, camids)
    measure_norms(network, images)
    measure_styles(network, images, size)
    pids = pd.read_csv("data/split/truth.csv")["pid"].to_numpy()
    labels = np.unique(pids, return_inverse=True)[1].astype(np.int32)
    raw = raw_features(network, images.pixels, size)
    # identity_batches leaves some images out of an epoch, so epochs are counted at
    # their full size: the supervised run sees a few images fewer, never more.
    params = dataclasses.replace(q, epochs=round(images_seen() / len(labels)))
    position = Position("supervised", 0, 1, stream=9)
    progress = Progress(network)
    clusters = progress.clusters(position, lambda: clusters_of(network, raw, labels, p))
    train_on(network, clusters, images, params, p, position, progress)
    measure_styles(network, images, size)
    return network


def images_seen() -> int:
    """Return how many images both stages trained on, from their histories."""
    histories = [
        json.loads(Path(f"plots/{s}.json").read_text()) for s in ("intra", "inter")
    ]
    return sum(record["num_images"] for history in histories for record in history)


def with_table(text: str, runs: list[dict[str, Any]]) -> str:
    """Return the README with the table of these runs between its marks."""
    return between_marks(text, "results", table(runs))


def table(runs: list[dict[str, Any]]) -> str:
    """Return mean ± standard deviation over all runs, in percent, as Markdown."""
    lines = ["| | mAP | rank-1 |", "|---|--:|--:|"]
    for key, label in ROWS.items():
        cells = []
        for metric in ("mAP", "rank1"):
            values = [100 * run[key][metric] for run in runs]
            cells.append(
                f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"
            )
        lines.append(f"| {label} | {' | '.join(cells)} |")
    dataset_seeds = sorted({run["dataset_seed"] for run in runs})
    seeds = sorted({run["seed"] for run in runs})
    lines.append("")
    lines.append(
        f"Percent, mean ± standard deviation over {len(runs)} runs: dataset seeds "
        f"{', '.join(map(str, dataset_seeds))} × training seeds "
        f"{', '.join(map(str, seeds))}, none of which the recipe was chosen on."
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    main()
