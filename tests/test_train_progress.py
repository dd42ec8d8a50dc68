from __future__ import annotations

import numpy as np
import pytest

from crosscam.model.heads import Head
from crosscam.train.optimise import Epoch, Phase
from crosscam.train.progress import Clusters, Position, Progress, Round
from tests.tiny import SETTING, tiny_network

FIRST, SECOND = Position("intra", 0, 2, stream=1), Position("intra", 1, 2, stream=1)
LABELS = np.array([0, 1, 1], np.int32)
EPOCH = Epoch(0.5, 0.001, 3, 1, 99.0)


@pytest.fixture
def network():
    return tiny_network()


def clusters(network, num_classes=2):
    head = Head(network.feature_size, num_classes, SETTING.head, neck=False)
    return Clusters(LABELS, {0: head, 3: head})


def phase(network):
    return Phase(network, [], SETTING.optim, lr=0.1, num_epochs=2)


def refused():
    raise AssertionError("was prepared again")


def test_two_rounds_of_two_epochs_are_kept_six_times(network):
    seen = []
    progress = Progress(
        network, lambda p: seen.append([len(done.epochs) for _, done in p.rounds])
    )
    for position in (FIRST, SECOND):
        assert progress.done(position) is None
        assert len(progress.clusters(position, lambda: clusters(network)).heads) == 2
        assert progress.begin(phase(network)) == []
        for _ in range(2):
            progress.add(EPOCH)
    assert seen == [[0], [1], [2], [2, 0], [2, 1], [2, 2]]


def test_a_round_without_epochs_is_kept_once(network):
    seen = []
    progress = Progress(network, seen.append)
    progress.clusters(FIRST, lambda: clusters(network))
    progress.begin(phase(network))
    assert seen == [progress]


def test_a_round_under_way_is_not_prepared_again(network):
    progress = Progress(network)
    made = progress.clusters(FIRST, lambda: clusters(network))
    again = progress.clusters(FIRST, refused)
    assert again.heads is made.heads
    assert again.pseudo_labels is LABELS
    assert progress.done(FIRST) is None


def test_a_round_that_was_followed_is_done_and_has_no_heads(network):
    progress = Progress(network)
    for position, num_classes in ((FIRST, 2), (SECOND, 4)):
        progress.clusters(position, lambda num=num_classes: clusters(network, num))
    first = progress.done(FIRST)
    assert first == Round(1, LABELS, 4, {}, [])
    assert progress.done(SECOND) is None
    assert progress.rounds[-1][1].num_clusters == 8
    assert set(progress.rounds[-1][1].heads) == {0, 3}


def test_positions_differ_in_each_part(network):
    progress = Progress(network)
    for position in (FIRST, SECOND):
        progress.clusters(position, lambda: clusters(network))
    others = FIRST._replace(name="inter"), FIRST._replace(stream=3)
    assert [progress.done(other) for other in others] == [None, None]
