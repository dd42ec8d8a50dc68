"""What a run needs, counted by hand and beside a real tiny run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from crosscam.experiment.needs import (
    Memory,
    Passes,
    Sizes,
    duration,
    gigabytes,
    plan,
)
from crosscam.experiment.timed import saved_bytes, timed_costs
from crosscam.model.network import Network
from crosscam.train import features, inter, intra, measure, rounds
from crosscam.train.alternate import alternate
from crosscam.train.devices import ComputeParams
from crosscam.train.progress import Progress
from crosscam.train.rounds import TrainingSet
from tests.tiny import (
    DISTILLED,
    FIRST_INTRA,
    INTER,
    INTRA,
    NUM_CAMERAS,
    SETTING,
    WHOLE,
    tiny_images,
    tiny_network,
)

SIZES = Sizes(train=100, test=30, cameras=4)


PHASES = replace(INTRA, epochs=2), replace(INTER, rounds=3, epochs=2, intra_epochs=2)


def test_iics_by_hand() -> None:
    """One intra round, three inter rounds with two intra phases between them."""
    found = plan(SIZES, *PHASES, views=(1, 1), tnorm=False, new_heads=False)
    assert found.intra == Passes(trained=200, plain=100, pairs=2500)
    assert found.inter == Passes(trained=400, plain=200, pairs=12_500)
    assert found.run == Passes(
        trained=200 * (1 + 3 + 2),
        plain=100 * (1 + 3 + 2) + 30,
        pairs=2500 * 3 + 10_000 * 3,
    )


def test_iids_by_hand() -> None:
    """Two views in a step; styles measured before each phase, after each stage."""
    found = plan(SIZES, *PHASES, views=(2, 2), tnorm=True, new_heads=False)
    assert found.intra == Passes(trained=400, plain=100, measured=100, pairs=2500)
    assert found.run == Passes(
        trained=400 * 6,
        plain=100 * 3,
        styled=100 * 3 + 30,
        measured=100 * (3 + 3) + 200,
        pairs=2500 * 3 + 10_000 * 3,
    )


def test_styles_are_measured_on_some_images_of_a_large_dataset() -> None:
    large = SIZES._replace(train=10_000)  # 4 cameras: at most 4 · 128 of them
    found = plan(large, *PHASES, views=(1, 1), tnorm=True, new_heads=False)
    assert found.intra.measured == 512
    assert found.run.measured == 512 * (3 + 3 + 2)


def test_without_intra_epochs_cosine_heads_are_made_anew_and_linear_ones_stay() -> None:
    no_training = PHASES[0], replace(PHASES[1], intra_epochs=0)
    anew = plan(SIZES, *no_training, views=(1, 1), tnorm=True, new_heads=True)
    stay = plan(SIZES, *no_training, views=(1, 1), tnorm=True, new_heads=False)
    assert anew.run.trained == stay.run.trained == 200 + 3 * 200
    assert anew.run.plain - stay.run.plain == 2 * 100
    assert anew.run.measured == stay.run.measured


def test_seconds_are_passes_times_their_cost() -> None:
    each = Passes(trained=1.0, plain=0.5, styled=2.0, measured=0.25, pairs=1e-3)
    assert Passes(10, 4, 3, 8, 1000).seconds(each) == 10 + 2 + 6 + 2 + 1


def test_training_and_clustering_take_turns() -> None:
    assert Memory(1, 2, 3, 20, 10).alone() == 26
    assert Memory(1, 2, 3, 10, 20).alone() == 26
    assert Memory(1, 2, 3, 10, 20).on_gpu() == 15
    assert Memory(1, 2, 3, 10, 20).beside_gpu() == 21
    assert Memory(1, 2, 3, 10, 20, distances=9).on_gpu() == 15
    assert Memory(1, 2, 3, 10, 20, distances=11).on_gpu() == 16


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.2, "1 s"),
        (45, "45 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3599.6, "1 h"),
        (3 * 3600 + 29 * 60 + 40, "3 h 30 min"),
        (86_399, "1 d"),
        (100_000, "1 d 4 h"),
    ],
)
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_sizes_in_bytes() -> None:
    assert gigabytes(86_898_766) == "87 MB"
    assert gigabytes(1.26e9) == "1.3 GB"


def test_a_tiny_run_is_counted_as_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of pass over the images, counted while the stages' code runs."""
    counted = Counter[str]()
    real_measure = measure.measure_styles

    def measured(network: Network, images: TrainingSet, size: int) -> None:
        counted["measured"] += len(images.pixels)
        real_measure(network, images, size)

    def raw(network: Network, pixels: Tensor, size: int) -> Tensor:
        counted["plain"] += len(pixels)
        return features.raw_features(network, pixels, size)

    def styled(network: Network, pixels: Tensor, *rest: Any) -> Any:
        counted["styled"] += len(pixels)
        return features.styled_features(network, pixels, *rest)

    def views(*given: Any, two: bool) -> Any:
        counted["trained"] += len(given[2]) * (1 + two)
        return rounds.views_of(*given, two=two)

    for phase in (intra, inter):
        monkeypatch.setattr(phase, "measure_styles", measured)
        monkeypatch.setattr(phase, "views_of", views)
    monkeypatch.setattr(intra, "raw_features", raw)
    monkeypatch.setattr(inter, "styled_features", styled)
    network, images = tiny_network(WHOLE), tiny_images()
    given = replace(INTRA, epochs=2), replace(INTER, intra_epochs=1)
    first = intra.intra_round(
        *(network, images, given[0], DISTILLED, FIRST_INTRA, 2, 0.1),
        Progress(network),
    )
    alternate(network, first.heads, images, *given, DISTILLED, Progress(network))
    sizes = Sizes(len(images.pixels), 0, NUM_CAMERAS)
    found = plan(sizes, *given, views=(2, 2), tnorm=True, new_heads=True).run
    # Both stages measure once more at their end, after what runs here.
    assert counted["measured"] == found.measured - 2 * sizes.train
    assert counted["plain"] == found.plain
    assert counted["styled"] == found.styled
    # A batch leaves out what does not fill it, and repeats what is too few.
    assert counted["trained"] == pytest.approx(found.trained, rel=0.15)


def test_costs_are_positive_and_grow_with_what_is_kept() -> None:
    setting = replace(SETTING, compute=ComputeParams("cpu", 1, 1.0, 8))
    found = timed_costs(tiny_network(WHOLE), setting, INTER, 6, num_scores=5)
    assert all(part > 0 for part in (*found.seconds, found.step_bytes))
    # 1000 × 1000 float32 at the least, and not a hundred of them.
    assert 4 <= found.pair_bytes < 400


def test_saved_bytes_are_those_of_the_backward_pass() -> None:
    """x·x keeps x twice, the same storage: 4 bytes each of 100 numbers, once."""
    x = torch.ones(100, requires_grad=True)
    assert saved_bytes(lambda: (x * x).sum(0)) == 400
    assert saved_bytes(lambda: x.exp().sum()) == 400  # its own result
