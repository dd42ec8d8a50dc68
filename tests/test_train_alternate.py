from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from crosscam.train import alternate as module
from crosscam.train.alternate import alternate
from crosscam.train.history import history
from crosscam.train.intra import intra_round
from crosscam.train.progress import Position, Progress
from tests.tiny import (
    ARCHITECTURE,
    DISTILLED,
    FIRST_INTRA,
    INTER,
    INTRA,
    SETTING,
    WHOLE,
    state_bytes,
    tiny_images,
    tiny_network,
)

CONSTANT = replace(SETTING, optim=replace(SETTING.optim, schedule="constant"))


@pytest.fixture
def calls(monkeypatch):
    """Note the position of every round, its heads in and out, its learning rate."""
    made = []
    inter, intra = module.inter_round, module.intra_round

    def inter_round(network, heads, images, params, setting, position, progress):
        made.append((position, heads))
        return inter(network, heads, images, params, setting, position, progress)

    def intra_round(network, images, params, setting, position, epochs, lr, progress):
        given = images, params, setting, position, epochs, lr
        done = intra(network, *given, progress)
        made.append((position, (epochs, lr), done.heads))
        return done

    monkeypatch.setattr(module, "inter_round", inter_round)
    monkeypatch.setattr(module, "intra_round", intra_round)
    return made


def started(architecture, setting):
    network = tiny_network(architecture)
    given = tiny_images(), INTRA, setting, FIRST_INTRA, 1, 0.002
    done = intra_round(network, *given, Progress(network))
    return network, done.heads


@pytest.fixture
def start():
    return started(ARCHITECTURE, CONSTANT)


def run(start, inter, setting=CONSTANT):
    return alternate(*start, tiny_images(), INTRA, inter, setting, Progress(start[0]))


def test_cosine_heads_are_made_anew_without_training(calls, start):
    rounds = run(start, replace(INTER, rounds=2, intra_epochs=0))
    assert [name for name, _ in rounds] == ["inter", "intra", "inter"]
    assert rounds[1][1].epochs == []
    assert calls[2][1] is calls[1][2]
    assert [record["phase"] for record in history(rounds)] == ["inter", "inter"]


def test_linear_heads_stay_without_training(calls, start):
    linear = replace(CONSTANT, head=replace(CONSTANT.head, kind="linear"))
    rounds = run(start, replace(INTER, rounds=2, intra_epochs=0), linear)
    assert [name for name, _ in rounds] == ["inter", "inter"]
    assert [position for position, _ in calls] == [
        Position("inter", 0, 2, 2),
        Position("inter", 1, 2, 2),
    ]
    assert all(heads is start[1] for _, heads in calls)


def test_an_intra_phase_between_two_rounds(calls, start):
    rounds = run(start, replace(INTER, rounds=3, intra_epochs=1))
    assert [name for name, _ in rounds] == ["inter", "intra", "inter", "intra", "inter"]
    assert [position for position, *_ in calls] == [
        Position("inter", 0, 3, 2),
        Position("intra", 1, 3, 3),
        Position("inter", 1, 3, 2),
        Position("intra", 2, 3, 3),
        Position("inter", 2, 3, 2),
    ]
    # Each inter round takes the heads of the last intra phase.
    assert calls[0][1] is start[1]
    assert calls[2][1] is calls[1][2]
    assert calls[4][1] is calls[3][2]
    # Those of all rounds would fill the memory: the last one's are kept.
    assert [len(done.heads) for _, done in rounds] == [0, 0, 0, 0, 1]
    # Both learning rates halve from round to round.
    assert [calls[1][1], calls[3][1]] == [(1, 0.001), (1, 0.0005)]
    records = history(rounds)
    assert [record["lr"] for record in records] == pytest.approx([
        0.002,
        0.001,
        0.001,
        0.0005,
        0.0005,
    ])
    assert [record["round"] for record in records] == [1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("architecture", "setting"),
    [(ARCHITECTURE, CONSTANT), (WHOLE, DISTILLED)],
    ids=["plain", "whole"],
)
def test_a_run_repeats(architecture, setting):
    start = started(architecture, setting)
    inter = replace(INTER, rounds=2, intra_epochs=1)
    state = {k: v.clone() for k, v in start[0].state_dict().items()}
    first = run(start, inter, setting)
    weights = state_bytes(start[0], *first[-1][1].heads.values())
    start[0].load_state_dict(state)
    torch.manual_seed(11)
    again = run(start, inter, setting)
    assert state_bytes(start[0], *again[-1][1].heads.values()) == weights
