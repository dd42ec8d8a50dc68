"""bf16: the same training with 3 digits in the backbone, and float32 all around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from crosscam.train.features import styled_features, unit_features
from crosscam.train.intra import intra_round
from crosscam.train.measure import measure_norms, measure_styles
from crosscam.train.progress import Progress
from crosscam.train.rounds import TrainingSet
from tests.tiny import (
    DISTILLED,
    FIRST_INTRA,
    INTRA,
    WHOLE,
    tiny_images,
    tiny_network,
)

NUM = 27  # of three people: without instructions for bf16, a CPU is six times slower
CONVNEXT = WHOLE
RESNET = replace(
    WHOLE,
    backbone="resnet10t",
    options={"channels": (8, 16, 16, 24)},
    pooling="gem",
    neck="head",
)
# Largest difference of a unit feature's entry, found at 0.003 and 0.013.
TOLERANCE = {"test_convnext": 0.01, "resnet10t": 0.04}


def images():
    pixels, camids = tiny_images()
    return TrainingSet(pixels[:NUM], camids[:NUM])


def network(architecture, precision):
    net = tiny_network(architecture)
    net.precision = precision
    measure_norms(net, images(), 64)
    measure_styles(net, images(), 64)
    return net


@pytest.mark.parametrize("architecture", [CONVNEXT, RESNET], ids=["convnext", "resnet"])
def test_features_are_close_and_float32(architecture):
    exact, rounded = (network(architecture, each) for each in ("fp32", "bf16"))
    units = []
    for net in (exact, rounded):
        raw = styled_features(net, *images(), 64, {}).raw
        assert raw.dtype == torch.float32
        units.append(unit_features(raw))
    error = np.abs(units[0] - units[1]).max()
    assert 0 < error < TOLERANCE[architecture.backbone]
    # Not of bf16 numbers: these have 16 bits of zeros behind them.
    assert (units[1].view(np.uint32) & 0xFFFF).any()
    assert rounded.state_dict().keys() == exact.state_dict().keys()


def test_the_loss_falls_and_all_that_is_kept_is_float32():
    net = network(CONVNEXT, "bf16")
    maps, pooled = [], []
    for module in net.backbone.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda *passed: maps.append(passed[-1].dtype))
    net.neck.register_forward_pre_hook(lambda _, given: pooled.append(given[0].dtype))
    progress = Progress(net)
    done = intra_round(
        *(net, images(), INTRA, DISTILLED, FIRST_INTRA, 4, 0.002), progress
    )
    losses = [epoch.loss for epoch in done.epochs]
    assert losses[-1] < losses[0]
    assert set(maps) == {torch.bfloat16}
    assert set(pooled) == {torch.float32}
    kept = {*net.state_dict().values(), *progress.phase.optimizer_state().values()}
    kept |= {
        value for head in done.heads.values() for value in head.state_dict().values()
    }
    assert {t.dtype for t in kept} == {torch.float32, torch.int64}
    gradients = {p.grad.dtype for p in net.parameters() if p.grad is not None}
    assert gradients == {torch.float32}


def test_fp32_does_not_come_near_autocast(monkeypatch):
    def fail(*_):
        raise AssertionError("autocast")

    monkeypatch.setattr(torch, "autocast", fail)
    network(CONVNEXT, "fp32")
    with pytest.raises(AssertionError, match="autocast"):
        network(CONVNEXT, "bf16")
