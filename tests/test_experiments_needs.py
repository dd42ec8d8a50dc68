"""The command make needs: sizes of datasets, and the whole of it on the default run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from crosscam.experiment.needs import Passes, Sizes
from crosscam.experiment.timed import Costs
from crosscam.params import ParamsError, read_params
from experiments import needs
from recipes.__main__ import build
from tests.repository import ROOT

MARKET = "data/market1501/raw/Market-1501-v15.09.15.zip"


@pytest.fixture
def params() -> needs.Params:
    return read_params(ROOT / "recipes/default.yaml", needs.Params)


def found(folder: Path, file: str) -> None:
    counts = {
        "train": {"images": 90, "cameras": 3},
        "query": {"images": 10, "cameras": 3},
        "gallery": {"images": 20, "cameras": 3},
    }
    (folder / "metrics").mkdir()
    told = json.dumps({"file": file, "counts": counts})
    (folder / "metrics/unzip.json").write_text(told)


def test_sizes_are_those_that_unzip_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found(tmp_path, "mine.zip")
    assert needs.sizes_of("data/mine/raw/mine.zip", (0, 1)) == Sizes(90, 30, 3)
    assert needs.sizes_of("data/mine/raw/mine.zip", (0.5, 0.7)).train == 18


@pytest.mark.parametrize(
    ("archive", "sizes"),
    [
        (MARKET, Sizes(12_936, 3_368 + 19_732, 6)),
        ("data/msmt17/raw/MSMT17_V2.zip", Sizes(32_621, 11_659 + 82_161, 15)),
        ("data/dukemtmc/raw/DukeMTMC-reID.zip", Sizes(16_522, 2_228 + 17_661, 8)),
    ],
)
def test_before_that_they_are_the_published_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: str, sizes: Sizes
) -> None:
    monkeypatch.chdir(tmp_path)
    found(tmp_path, "another.zip")
    assert needs.sizes_of(archive, (0, 1)) == sizes


def test_those_of_an_unknown_archive_must_be_found_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for archive in ("data/mine/raw/mine.zip", "mine.zip"):
        with pytest.raises(ParamsError, match=rf"sizes of {archive} .*dvc repro split"):
            needs.sizes_of(archive, (0, 1))


def test_views(params: needs.Params) -> None:
    """Distillation takes a second one: by either loss across cameras, by one within."""

    def views(cross_entropy: float, triplet: float) -> tuple[int, int]:
        distil = replace(params.distil, cross_entropy=cross_entropy, triplet=triplet)
        return needs.views_of(replace(params, distil=distil))

    assert [views(0, 0), views(1, 0), views(0, 1)] == [(1, 1), (2, 2), (1, 2)]


def test_memory_by_hand(params: needs.Params) -> None:
    """Batches of 2 · 4 · 5 = 40 within and 2 · 16 · 4 = 128 views across cameras."""
    costs = Costs(Passes(), step_bytes=1000, pair_bytes=12)
    memory = needs.memory_of(params, Sizes(1000, 0, 5), costs, weights=10**9)
    assert memory.step == 128_000
    assert memory.clustering == 12e6
    assert memory.images == 3 * 64 * 32 * 1000
    assert 3e9 < memory.fixed < 3e9 + 20e9, "weights and two of AdamW, and the process"
    mapped = replace(params.compute, image_cache_gb=0.001)
    on_disk = needs.memory_of(
        replace(params, compute=mapped), Sizes(1000, 0, 5), costs, 0
    )
    assert on_disk.images == 0


def test_memory_of_density_grows_with_the_images(params: needs.Params) -> None:
    costs = Costs(Passes(), step_bytes=1000.0, pair_bytes=12.0)
    old = params.inter
    inter = replace(
        old,
        clusters=replace(old.clusters, by="density"),
        rerank=replace(old.rerank, lambda_=0.0),
        mix=replace(old.mix, weight=0.0),
    )
    density = replace(params, inter=inter)

    def clustering(p: needs.Params, num: int) -> float:
        return needs.memory_of(p, Sizes(num, 0, 5), costs, 0).clustering

    assert [clustering(density, num) for num in (1000, 5000)] == [12e6, 60e6]
    assert [clustering(params, num) for num in (1000, 5000)] == [12e6, 300e6]


def test_the_default_run_is_told_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    recipes = {p.stem: p.read_text("utf-8") for p in (ROOT / "recipes").glob("*.yaml")}
    monkeypatch.chdir(ROOT)  # `build` looks for the stages here
    text = build(recipes, ["smoke"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(text)
    found(tmp_path, "synthetic.zip")
    needs.main()
    told = capsys.readouterr().out
    assert "90 training images of 3 cameras, 30 test images" in told
    for what in ("a round within cameras", "a round across cameras", "the whole run"):
        assert re.search(rf"{what} +\d+ (s|min|h)", told), told
    assert re.search(r"memory, at most +\d+\.\d GB", told)
    assert re.search(r"disk +\d+ MB of .* free", told)


def test_what_cannot_be_told_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "recipes/default.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("synthetic.zip", "else.zip"))
    with pytest.raises(SystemExit, match="not known yet: dvc repro split"):
        needs.main()


@pytest.mark.parametrize(
    ("train", "changes", "expected"),
    [
        (12_936, {"by": "count", "num_clusters": 600}, 3_600),  # IICS on Market-1501
        (1_200, {"by": "count", "num_clusters": 600}, 600),  # half of each camera's 200
        (1_200, {"by": "quantile"}, 300),
    ],
)
def test_scores_are_as_many_as_clusters(
    params: needs.Params, train: int, changes: dict[str, object], expected: int
) -> None:
    clusters = replace(params.intra.clusters, **changes)
    intra = replace(params.intra, clusters=clusters)
    assert needs.num_scores(intra, Sizes(train, 0, 6)) == expected
