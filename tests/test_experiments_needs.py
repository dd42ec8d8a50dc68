"""The command make needs: sizes of datasets, and the whole of it on the default run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch

from crosscam.experiment.needs import Memory, Passes, Sizes
from crosscam.experiment.timed import Costs
from crosscam.params import read_params
from crosscam.train.resume import STATES
from experiments import needs
from recipes.__main__ import build
from tests.repository import ROOT

MARKET = "data/market1501/raw/Market-1501-v15.09.15.zip"
MSMT17 = "data/msmt17/raw/MSMT17_V2.zip"
DUKE = "data/dukemtmc/raw/DukeMTMC-reID.zip"
MINE = "data/mine/raw/mine.zip"


@pytest.fixture
def params() -> needs.Params:
    return read_params(ROOT / "recipes/default.yaml", needs.Params)


def found(folder: Path, archive: str) -> None:
    """Leave what a run of unzip on this archive leaves."""
    counts = {
        "train": {"images": 90, "cameras": 3},
        "query": {"images": 10, "cameras": 3},
        "gallery": {"images": 20, "cameras": 3},
    }
    (folder / "metrics").mkdir()
    told = json.dumps({"file": Path(archive).name, "counts": counts})
    (folder / "metrics/unzip.json").write_text(told)
    (folder / "dvc.lock").write_text(f"    deps:\n    - path: {archive}\n")


def given(
    params: needs.Params,
    archive: str,
    window: tuple[float, float] = (0, 1),
    train_lists: tuple[Literal["train", "val"], ...] = ("train",),
) -> needs.Params:
    split = replace(params.split, window=window, train_lists=train_lists)
    return replace(params, archive=archive, split=split)


def test_sizes_are_those_that_unzip_found(
    params: needs.Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found(tmp_path, MINE)
    assert needs.sizes_of(given(params, MINE)) == Sizes(90, 30, 3)
    part = needs.sizes_of(given(params, MINE, window=(0.5, 0.7)))
    assert part == Sizes(18, 30, 3)


@pytest.mark.parametrize(
    ("archive", "lists", "sizes"),
    [
        (MARKET, ("train",), Sizes(12_936, 3_368 + 19_732, 6)),
        (MSMT17, ("train",), Sizes(30_248, 11_659 + 82_161, 15)),
        (MSMT17, ("train", "val"), Sizes(32_621, 11_659 + 82_161, 15)),
        (DUKE, ("train",), Sizes(16_522, 2_228 + 17_661, 8)),
    ],
)
def test_before_that_they_are_the_published_ones(
    params: needs.Params,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    archive: str,
    lists: tuple[Literal["train", "val"], ...],
    sizes: Sizes,
) -> None:
    monkeypatch.chdir(tmp_path)
    found(tmp_path, f"data/another/raw/{Path(archive).name}")
    assert needs.sizes_of(given(params, archive, train_lists=lists)) == sizes


def test_the_synthetic_ones_are_those_that_would_be_drawn(
    params: needs.Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the last run can be of another world under the same name."""
    monkeypatch.chdir(tmp_path)
    found(tmp_path, params.archive)
    counts = json.loads((ROOT / "metrics/unzip.json").read_text())["counts"]
    test = counts["query"]["images"] + counts["gallery"]["images"]
    assert needs.sizes_of(params) == Sizes(counts["train"]["images"], test, 5)
    world = replace(params.synthesize, train_pids=6, cameras=3)
    smaller = needs.sizes_of(replace(params, synthesize=world))
    assert smaller is not None
    assert smaller.train < 200
    assert smaller.cameras == 3


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
    assert memory.weights == 4e9, "with gradients and two values of AdamW each"
    assert 1e7 < memory.process < 2e10
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
    needs.main()
    told = capsys.readouterr().out
    assert "109 training images of 3 cameras, 87 test images" in told
    for what in ("a round within cameras", "a round across cameras", "the whole run"):
        assert re.search(rf"{what} +\d+ (s|min|h)", told), told
    assert re.search(r"memory, at most +\d+\.\d GB", told)
    not_there = "and the archive twice, which is not there yet"
    assert re.search(rf"disk +[\d.]+ [MG]B of .* free, {not_there}\n", told)


def test_images_that_nobody_counted_are_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`make recipe` says it, having written params.yaml, and `make repro` follows."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "recipes/default.yaml").read_text()
    for archive in (MINE, "mine.zip"):
        written = text.replace("data/synthetic/raw/synthetic.zip", archive)
        (tmp_path / "params.yaml").write_text(written)
        needs.main()
        told = capsys.readouterr().out
        assert re.match(rf"{archive}: .*\bnot known .*dvc repro split", told)


def test_a_fault_of_params_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "recipes/default.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("seed: 10", "seed: none", 1))
    with pytest.raises(SystemExit, match="seed: expected int, got 'none'"):
        needs.main()


def test_memory_of_a_gpu_and_of_the_machine_are_told_apart() -> None:
    memory = Memory(2e9, 1e8, 3e8, 4e9, 5e9)
    told = needs.room(memory, "cuda", 0, archive_there=True)
    assert "  GPU memory, at most     4.4 GB (images 0.3 GB, a step 4.0 GB)\n" in told
    assert "  memory, at most         7.0 GB (clustering 5.0 GB)\n" in told
    assert told.endswith(" GB free\n")
    alone = needs.room(memory, "cpu", 0, archive_there=True)
    assert "  memory, at most         7.4 GB (images" in alone
    large = needs.room(memory._replace(distances=6e9), "cuda", 0, archive_there=True)
    both = "(images 0.3 GB, a step 4.0 GB, or distances 6.0 GB)"
    assert f"  GPU memory, at most     6.4 GB {both}\n" in large


@pytest.mark.parametrize(
    ("device", "by", "num", "expected"),
    [
        ("cuda", "quantile", 1000, 4_000_000),
        ("cuda", "quantile", 5000, 0),  # 100 MB, of a GPU of 100
        ("cuda", "density", 1000, 0),
        ("cpu", "quantile", 1000, 0),
    ],
)
def test_distances_are_on_a_gpu_that_has_room_for_them(
    params: needs.Params,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    by: Literal["quantile", "density"],
    num: int,
    expected: int,
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (0, 100_000_000))
    old = params.inter
    inter = replace(
        old,
        clusters=replace(old.clusters, by=by),
        rerank=replace(old.rerank, lambda_=0.0),
        mix=replace(old.mix, weight=0.0),
    )
    sizes, given = Sizes(num, 0, 5), replace(params, inter=inter)
    assert needs.distances_on(torch.device(device), given, sizes) == expected


def test_disk_of_a_folder_is_that_of_its_files(
    params: needs.Params, tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/image.jpg").write_bytes(bytes(1000))
    folder = replace(params, archive=str(tmp_path))
    results, states = 1000 + 100 + 280, STATES * 50
    assert needs.disk_of(folder, Sizes(0, 10, 1), 50, 7) == 2 * results + states


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
