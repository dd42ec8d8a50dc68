from __future__ import annotations

import logging
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from crosscam.data.faults import DataError
from crosscam.data.packed import PackedImages
from crosscam.room import RoomError
from crosscam.train import rounds as module
from crosscam.train.optimise import Epoch, Phase, TrainingError
from crosscam.train.progress import Clusters, Position, Progress, Round
from crosscam.train.rounds import (
    new_head,
    train_epochs,
    training_set,
    views_of,
)
from tests.test_data_images import encoded, random_pixels
from tests.tiny import ARCHITECTURE, CUT, SETTING, tiny_images, tiny_network


def test_training_set(tmp_path):
    blobs = [encoded(random_pixels(seed, 64, 32)) for seed in range(2)]
    (tmp_path / "images.bin").write_bytes(b"".join(blobs))
    sizes = [len(blob) for blob in blobs]
    table = pd.DataFrame({"offset": [0, sizes[0]], "size": sizes, "camid": [4, 2]})
    images = training_set(
        PackedImages(tmp_path / "images.bin"), table, ARCHITECTURE, SETTING.compute, CUT
    )
    assert images.camids.tolist() == [4, 2]
    for pixels, seed in zip(images.pixels, range(2), strict=True):
        assert np.array_equal(pixels.permute(1, 2, 0), random_pixels(seed, 64, 32))


def test_a_training_set_is_put_where_it_is_computed(tmp_path, monkeypatch):
    (tmp_path / "images.bin").write_bytes(blob := encoded(random_pixels(0, 64, 32)))
    table = pd.DataFrame({"offset": [0], "size": [len(blob)], "camid": [4]})
    monkeypatch.setattr(module, "chosen_device", lambda name: torch.device("meta"))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (10**9, 10**9))
    packed = PackedImages(tmp_path / "images.bin")
    images = training_set(packed, table, ARCHITECTURE, SETTING.compute, CUT)
    assert images.pixels.is_meta


def test_memory_for_all_distances_is_looked_at_first(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PAIR_BYTES", 10**18)
    (tmp_path / "images.bin").write_bytes(b"no image")
    table = pd.DataFrame({"offset": [0], "size": [8], "camid": [0]})
    given = PackedImages(tmp_path / "images.bin"), table, ARCHITECTURE, SETTING.compute
    with pytest.raises(RoomError, match=r"the distances between 1 .*\(intra\.clusters"):
        training_set(*given, CUT)
    with pytest.raises(RoomError, match=r"the distances between 1 .*\(inter\.clusters"):
        training_set(*given, CUT, across=True)
    for across in (False, True):
        with pytest.raises(DataError):  # by density none are held: on to the images
            training_set(*given, replace(CUT, by="density"), across=across)


def test_a_stage_looks_at_its_own_pairs_and_warns_of_the_next_ones(
    tmp_path, monkeypatch, caplog
):
    asked, held = [], 5 * 3 * 64 * 32

    def check(num_bytes, what):
        asked.append(num_bytes)
        if num_bytes == module.PAIR_BYTES * 5**2 + held:
            raise RoomError(what)

    monkeypatch.setattr(module, "check_memory", check)
    (tmp_path / "images.bin").write_bytes(blob := encoded(random_pixels(0, 64, 32)))
    columns = {"offset": [0] * 5, "size": [len(blob)] * 5, "camid": [0, 1, 0, 1, 1]}
    given = PackedImages(tmp_path / "images.bin"), pd.DataFrame(columns), ARCHITECTURE
    training_set(*given, SETTING.compute, CUT)
    pairs = [3**2, 5**2]  # of its largest camera, and of all
    assert asked == [module.PAIR_BYTES * num + held for num in pairs]
    (warning,) = caplog.messages
    assert warning.startswith("the next stage holds the distances between 5 images all")
    with pytest.raises(RoomError, match="the distances between 5 images"):
        training_set(*given, SETTING.compute, CUT, across=True)
    asked.clear()
    mapped = replace(SETTING.compute, image_cache_gb=1e-9)  # no image stays in memory
    training_set(*given, mapped, CUT)
    assert asked == [module.PAIR_BYTES * num for num in pairs]


def test_losses_are_compared_with_those_of_the_round_before():
    progress = Progress(tiny_network())
    at = Position("intra", 0, 3, stream=1)
    other = at._replace(name="inter")
    labels = np.zeros(2, np.int32)
    for position, losses in (
        (at, [4.0, 3.0]),
        (other, [9.0]),
        (at._replace(round=1), [2.0]),
    ):
        epochs = [Epoch(loss, 0.1, 2, 1, 1.0) for loss in losses]
        done = Round(position.round + 1, labels, 1, {}, epochs)
        progress.rounds.append((position, done))
    assert progress.losses() == ([2.0], [4.0, 3.0])
    few = progress.rounds[-1][1]._replace(num_clusters=3)  # three times as many
    progress.rounds[-1] = (progress.rounds[-1][0], few)
    assert progress.losses() == ([2.0], [])
    progress.rounds.pop()
    assert progress.losses() == ([9.0], [])


def test_a_loss_that_explodes_is_said(caplog):
    grows = iter([1.0, 1.0, 1.0, 100.0])
    run(lambda: next(grows), num_epochs=4)
    (message,) = (m for m in caplog.messages if "lower the learning rate" in m)
    assert message.startswith("intra round 2/3 epoch 4: the loss is ")


def test_a_new_head_knows_its_classes():
    network = tiny_network(replace(ARCHITECTURE, neck="head"))
    raw, labels = torch.randn(5, network.feature_size), torch.tensor([0, 2, 1, 0, 2])
    head = new_head(network, raw, labels, SETTING)
    assert head.weight.shape == (3, network.feature_size)
    mean = torch.nn.functional.normalize(raw[[0, 3]]).mean(0)
    cosine = torch.nn.functional.cosine_similarity(head.weight[0], mean, dim=0)
    assert cosine.item() == pytest.approx(1)


@pytest.mark.parametrize(("neck", "expected"), [("head", True), ("feature", False)])
def test_a_new_head_has_the_neck_that_the_network_has_not(neck, expected):
    network = tiny_network(replace(ARCHITECTURE, neck=neck))
    raw = torch.randn(2, network.feature_size)
    head = new_head(network, raw, torch.tensor([0, 0]), SETTING)
    assert isinstance(head.norm, torch.nn.BatchNorm1d) == expected


def test_views_of_rows_repeat_with_the_generator():
    network, images = tiny_network().eval(), tiny_images()
    rows = np.array([9, 3])
    first, again = (
        views_of(network, images, rows, SETTING, generator, two=False)
        for generator in (torch.Generator().manual_seed(1) for _ in range(2))
    )
    assert first.first.shape == (2, network.feature_size)
    assert first.second is None
    assert torch.equal(first.first, again.first)


SECOND = Position("intra", 1, 3, stream=1)


def run(loss, seed=0, where=SECOND, num_epochs=2):
    network = torch.nn.Linear(1, 1)
    phase = Phase(
        network, [torch.nn.Linear(1, 1)], SETTING.optim, lr=0.1, num_epochs=num_epochs
    )
    seen = []

    def batches_of(rng):
        seen.append(rng.integers(2**62))
        return [np.array([0])]

    def loss_of(rows, generator):
        seen.append(torch.randint(2**62, (1,), generator=generator).item())
        seen.append(torch.randint(2**62, (1,)).item())
        return (loss() if callable(loss) else loss) * network.weight.sum().square()

    setting, progress = replace(SETTING, seed=seed), Progress(network)
    progress.clusters(where, lambda: Clusters(np.zeros(1, np.int32), {}))
    done = train_epochs(where, phase, setting, batches_of, loss_of, progress)
    return done.epochs, seen


def test_epochs_are_logged(caplog):
    with caplog.at_level(logging.INFO):
        epochs, _ = run(1.0)
    assert len(epochs) == 2
    first, second = caplog.messages
    assert first.startswith(f"intra round 2/3 epoch 1/2 loss {epochs[0].loss:.4f} lr")
    assert second.startswith("intra round 2/3 epoch 2/2 loss")


def test_draws_depend_on_seed_position_and_epoch_alone():
    _, first = run(1.0)
    assert len(set(first)) == len(first)  # no epoch repeats another
    torch.manual_seed(1)
    assert run(1.0)[1] == first
    assert run(1.0, num_epochs=1)[1] == first[:3]
    others = [
        run(1.0, seed=1),
        run(1.0, where=SECOND._replace(round=0)),
        run(1.0, where=SECOND._replace(stream=2)),
    ]
    assert all(not set(seen) & set(first) for _, seen in others)


def test_a_fault_says_where_it_happened():
    with pytest.raises(TrainingError, match=r"^intra round 2/3 epoch 1: the loss must"):
        run(math.nan)
