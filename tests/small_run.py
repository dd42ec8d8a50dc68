"""A run of a few images, made by hand: as values, and as the files of a workspace."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from ruamel.yaml import YAML

from crosscam.draw.ranked import RankedList, Tile, draw_ranked
from crosscam.files import write_csv, write_json, write_npz
from crosscam.rank.bootstrap import Interval
from crosscam.rank.evaluation import EvaluateParams, evaluate
from crosscam.rank.feature_set import FeatureSet
from crosscam.report.material import Material, RankedPicture
from tests.repository import ROOT

NUM_PIDS, NUM_CAMERAS = 3, 3
PIDS = np.repeat(np.arange(1, NUM_PIDS + 1), NUM_CAMERAS)
CAMIDS = np.tile(np.arange(NUM_CAMERAS), NUM_PIDS)
EVALUATE = EvaluateParams(0, 50, 1000, 4, 512)  # as in the default recipe
LOCKED = {  # stage to the params it reads, its deps and its outs
    "synthesize": (["synthesize"], [], ["data/synthetic/raw/synthetic.zip"]),
    "unzip": (
        ["archive"],
        ["data/synthetic/raw/synthetic.zip", "crosscam/files.py"],
        ["data/packed/images.bin", "metrics/unzip.json"],
    ),
    "split": (
        ["split"],
        ["data/packed/images.bin"],
        ["data/split/query.csv", "data/split/gallery.csv", "metrics/split.json"],
    ),
    "intra": (["seed", "intra"], ["data/split/query.csv"], ["plots/intra.json"]),
    "inter": (["seed", "inter"], ["plots/intra.json"], ["plots/inter.json"]),
    "extract": (["extract"], ["plots/inter.json"], ["data/features.npz"]),
    "evaluate": (
        ["evaluate"],
        ["data/features.npz", "data/split/gallery.csv"],
        [
            "metrics/evaluate.json",
            *(f"plots/{name}.json" for name in ("cmc", "camera_pairs")),
            *("plots/pseudo_labels.json", "plots/embedding.png"),
        ],
    ),
}


def picture(grey: int = 128) -> bytes:
    """Return a small PNG."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 16), (grey, 40, 200)).save(buffer, "PNG")
    return buffer.getvalue()


def features() -> np.ndarray:
    """Return a unit row per image: the identity's direction, and noise."""
    noise = np.random.default_rng(0).normal(0, 0.4, (len(PIDS), 8))
    rows = np.eye(8)[PIDS] + noise
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def feature_sets() -> tuple[FeatureSet, FeatureSet]:
    """Return query and gallery: the same images."""
    both = FeatureSet(features(), PIDS, CAMIDS)
    return both, both


def counts(images: int) -> dict[str, int]:
    """Return the counts of a subset."""
    kinds = {"identities": NUM_PIDS, "cameras": NUM_CAMERAS}
    return {"images": images, **kinds, "distractors": 0, "junk": 0}


@cache
def records() -> dict[str, Any]:
    """Return the small files of the run, by their names in a report."""
    result = evaluate(*feature_sets(), EVALUATE)
    subsets = {name: counts(len(PIDS)) for name in ("train", "query", "gallery")}
    phases = [("intra", 1), ("intra", 2), ("inter", 1), ("inter", 2)]
    quality = {"ari": 0.5, "nmi": 0.75, "purity": 0.875, "largest": 0.25}
    return {
        "unzip": {
            "file": "small.zip",
            "layout": "market1501",
            "md5": "0" * 32,
            "known": None,
            "counts": subsets,
            "published": None,
            "agrees": None,
        },
        "split": {
            **subsets,
            "train_images_per_camera": {"c1": 3, "c2": 3, "c3": 3},
            "train_lists": ["train"],
            "window": [0.0, 1.0],
        },
        "metrics": result.metrics,
        "cmc": result.cmc,
        "camera_pairs": result.camera_pairs,
        "pseudo_labels": [
            {"step": step, "phase": phase, "round": number, "num_clusters": 3}
            | {"outliers": 0.125, **quality}
            for step, (phase, number) in enumerate(phases, start=1)
        ],
        **{
            stage: [
                {"epoch": epoch, "phase": stage, "round": 1, "loss": 4 / epoch}
                | {"lr": 0.001, "num_clusters": 3, "outliers": 0.125}
                for epoch in (1, 2)
            ]
            for stage in ("intra", "inter")
        },
    }


def default_params() -> dict[str, Any]:
    """Return the tree of the default parameters, to be changed at will."""
    return parsed((ROOT / "recipes/default.yaml").read_text())


@cache
def ranked() -> RankedPicture:
    """Return a picture of one query."""
    tiles = [Tile(picture(grey), 0) for grey in (50, 150)]
    return RankedPicture(draw_ranked([RankedList(tiles, 0.5, [0.1], [True])]), [0.5])


def parsed(text: str) -> dict[str, Any]:
    """Return a tree of YAML."""
    return YAML(typ="safe", pure=True).load(text)


def lock(params: dict[str, Any], sums: dict[str, str]) -> dict[str, Any]:
    """Return the stages of dvc.lock, for files with these md5s."""
    stages = {}
    for name, (keys, deps, outs) in LOCKED.items():
        both = [
            [{"path": p, "md5": sums.get(p, "f" * 32), "size": 1234} for p in paths]
            for paths in (deps, outs)
        ]
        used = {"params.yaml": {key: params[key] for key in keys}}
        stages[name] = {"deps": both[0], "params": used, "outs": both[1]}
    return stages


def material(**changes: Any) -> Material:
    """Return the run as the material of a report."""
    parts = {
        **records(),
        "embedding": picture(),
        "intervals": dict.fromkeys(
            ("mAP", "mAP_trapezoid", "mINP", "rank1", "rank5", "rank10", "rank20"),
            Interval(0.25, 0.75),
        ),
        "ranked": dict.fromkeys(("best", "median", "worst"), ranked()),
        "params": default_params(),
        "default": default_params(),
        "recipe": "default",
        "stages": lock(default_params(), {}),
        "environment": {"commit": "1234 (2026-01-02)", "python": "3.11"},
    }
    return Material(**(parts | changes))


def write_run(folder: Path) -> None:
    """Write the run's files into a folder, and its lock and parameters."""
    named = {"metrics": "metrics/evaluate.json"} | {
        name: f"metrics/{name}.json" for name in ("unzip", "split")
    }
    for name, value in records().items():
        write_json(folder / named.get(name, f"plots/{name}.json"), value)
    blobs = [picture(20 * number) for number in range(len(PIDS))]
    sizes = np.array([len(blob) for blob in blobs])
    offsets = np.cumsum(sizes) - sizes
    images = folder / "data/packed/images.bin"
    images.parent.mkdir(parents=True)
    images.write_bytes(b"".join(blobs))
    columns = {"offset": offsets, "size": sizes, "camid": CAMIDS, "pid": PIDS}
    for name in ("query", "gallery"):
        write_csv(folder / f"data/split/{name}.csv", pd.DataFrame(columns))
    both = {"query": features(), "gallery": features()}
    write_npz(folder / "data/features.npz", both)
    (folder / "plots/embedding.png").write_bytes(picture())
    (folder / "recipes").mkdir()
    for path in (ROOT / "recipes").glob("*.yaml"):
        (folder / "recipes" / path.name).write_bytes(path.read_bytes())
    default = (ROOT / "recipes/default.yaml").read_text()
    (folder / "params.yaml").write_text(default)
    write_lock(folder)


def write_lock(folder: Path) -> None:
    """Write dvc.lock for the files and parameters as they are now."""
    paths = [path for _, _, outs in LOCKED.values() for path in outs]
    sums = {
        path: hashlib.md5((folder / path).read_bytes(), usedforsecurity=False)
        for path in paths
        if (folder / path).exists()
    }
    params = parsed((folder / "params.yaml").read_text())
    stages = lock(params, {path: of.hexdigest() for path, of in sums.items()})
    (folder / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": stages}))


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, with nobody's own settings; return what it printed."""
    who = ["-c", "user.name=test", "-c", "user.email=test@test"]
    command = ["git", *who, "-c", "commit.gpgsign=false", *arguments]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def committed(folder: Path) -> str:
    """Make all files of a folder the first commit of a repository; return its name."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=run")
    return git(folder, "rev-parse", "HEAD")
