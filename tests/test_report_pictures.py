from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from crosscam.data.packed import PackedImages
from crosscam.rank.evaluation import evaluate
from crosscam.report.pictures import ranking
from tests.small_run import (
    CAMIDS,
    EVALUATE,
    PIDS,
    feature_sets,
    features,
    picture,
)

FEW = replace(EVALUATE, bootstrap=50)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "images.bin"
    path.write_bytes(picture())
    return PackedImages(path)


def table(rows):
    columns = {"pid": PIDS[rows], "camid": CAMIDS[rows]}
    return pd.DataFrame({"offset": 0, "size": len(picture()), **columns})


@pytest.fixture(scope="module")
def found(packed):
    return rank(packed, np.arange(len(PIDS)))


def rank(packed, queries):
    arrays = {"query": features()[queries], "gallery": features()}
    tables = {"query": table(queries), "gallery": table(np.arange(len(PIDS)))}
    return ranking(arrays, tables, packed, FEW)


def test_intervals_are_those_of_the_stage(found):
    stage = evaluate(*feature_sets(), FEW).metrics
    for name in ("mAP", "rank1"):
        assert found.intervals[name] == (stage[f"{name}_low"], stage[f"{name}_high"])


def test_each_group_has_a_picture_and_the_scores_in_it(found):
    assert [*found.ranked] == ["best", "median", "worst"]
    best, median, worst = (found.ranked[name].aps for name in found.ranked)
    assert len(best) == len(worst) == 3  # one query per identity
    assert max(best) >= max(median) >= max(worst)
    assert best[0] > worst[-1]
    assert all(each.picture.startswith(b"\x89PNG") for each in found.ranked.values())


def test_a_group_without_a_query_has_no_picture(packed):
    assert [*rank(packed, np.arange(1)).ranked] == ["best"]
