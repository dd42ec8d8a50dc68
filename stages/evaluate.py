"""Rank the gallery for every query, score the ranking, and draw what it looks like.

Reads   data/features.npz, data/split/{train,query,gallery,truth}.csv,
        data/packed/images.bin, data/pseudo/{intra,inter}.npz
Writes  metrics/evaluate.json, plots/{cmc,camera_pairs,pseudo_labels}.json,
        plots/{ranked,embedding}.png
Params  evaluate
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from crosscam.data.faults import DataError
from crosscam.data.packed import SPLIT_COLUMNS, PackedImages, read_table
from crosscam.draw.embedding import draw_embedding
from crosscam.draw.ranked import RankedList, Tile, draw_ranked
from crosscam.files import NpzError, read_npz, write_bytes, write_json
from crosscam.params import ParamsError, read_params
from crosscam.program import as_program
from crosscam.rank.diagnosis import pseudo_label_quality, training_truth
from crosscam.rank.evaluation import EvaluateParams, evaluate
from crosscam.rank.feature_set import RankingError, feature_set, some_of_both


@dataclass(frozen=True)
class Params:
    """What this stage reads of params.yaml."""

    evaluate: EvaluateParams


def main() -> None:
    """Run the stage."""
    p = read_params(Path("params.yaml"), Params).evaluate
    split = Path("data/split")
    tables = {n: read_table(split / f"{n}.csv", c) for n, c in SPLIT_COLUMNS.items()}
    names, features = ("query", "gallery"), Path("data/features.npz")
    kinds = [k + name for k in ("", "shown_", "untrained_") for name in names]
    arrays = read_npz(features, kinds)
    query = feature_set(arrays["query"], tables["query"])
    gallery = feature_set(arrays["gallery"], tables["gallery"])
    result = evaluate(query, gallery, p)  # on all there is: no digit depends on it
    truth = training_truth(tables["train"], tables["truth"])
    files = Path("data/pseudo/intra.npz"), Path("data/pseudo/inter.npz")
    intra, inter = (read_npz(file, ["labels"]) for file in files)
    quality = pseudo_label_quality(intra, inter, truth)
    packed = PackedImages(Path("data/packed/images.bin"))
    lists = []
    for found in result.shortlists:
        nearest = tables["gallery"].iloc[found.gallery]
        rows = pd.concat([tables["query"].iloc[[found.query]], nearest])
        blobs = map(packed.blob, rows["offset"], rows["size"])
        tiles = list(map(Tile, blobs, rows["camid"]))
        lists.append(RankedList(tiles, found.ap, found.distances, found.is_match))
    ranked = draw_ranked(lists)

    shown = some_of_both(query, gallery, arrays["shown_query"], arrays["shown_gallery"])
    untrained = np.concatenate([arrays[f"untrained_{name}"] for name in names])
    maps = {"untrained": untrained, "trained": shown.features}
    embedding = draw_embedding(maps, shown.pids, shown.camids, p.seed)
    write_json(Path("metrics/evaluate.json"), result.metrics)
    write_json(Path("plots/cmc.json"), result.cmc)
    write_json(Path("plots/camera_pairs.json"), result.camera_pairs)
    write_json(Path("plots/pseudo_labels.json"), quality)
    write_bytes(Path("plots/ranked.png"), ranked)
    write_bytes(Path("plots/embedding.png"), embedding)


if __name__ == "__main__":
    with as_program(
        "evaluate", ParamsError, DataError, NpzError, RankingError, OSError
    ):
        main()
