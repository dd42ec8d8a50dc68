from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crosscam.data.augment import augment
from crosscam.model.moments import STAYS
from crosscam.model.tnorm import CameraStyles
from crosscam.train.views import _drawn, batch_views
from tests.tiny import (
    ARCHITECTURE,
    CAMIDS,
    SETTING,
    tiny_images,
    tiny_network,
)

STYLED = replace(ARCHITECTURE, options={}, tnorm=True)
ROWS = np.array([0, 4, 8, 9])  # of cameras 0, 1, 2 and 0


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def styled_network():
    """Return a network whose cameras have moments of no special kind."""
    network = tiny_network(STYLED)
    generator = seeded(1)
    for key, value in network.styles.named_buffers():
        if key.endswith("mean"):
            value.normal_(std=0.1, generator=generator)
        else:
            value.uniform_(0.5, 2, generator=generator)
    return network


def views(network, generator, restyle=0.0, *, two=False):
    return batch_views(
        network,
        tiny_images().pixels[ROWS],
        CAMIDS[ROWS],
        SETTING.augment,
        restyle,
        generator,
        two=two,
    )


def augmented(network, generator):
    pixels = tiny_images().pixels[ROWS]
    return augment(pixels, SETTING.augment, network.mean, network.std, generator)


@pytest.fixture
def asked(monkeypatch):
    """Note the style of every pass."""
    seen, original = [], CameraStyles.applied

    def applied(self, style):
        seen.append(style)
        return original(self, style)

    monkeypatch.setattr(CameraStyles, "applied", applied)
    return seen


# Without styles


@pytest.mark.parametrize("restyle", [0.0, 0.5, 1.0])
def test_one_view_draws_what_augmentation_draws(restyle):
    network = tiny_network(replace(ARCHITECTURE, options={})).eval()
    first, second = views(network, used := seeded(), restyle)
    images = augmented(network, other := seeded())
    assert second is None
    assert torch.equal(first, network(images))
    assert torch.equal(used.get_state(), other.get_state())


def test_two_views_are_augmented_one_after_the_other():
    network = tiny_network(replace(ARCHITECTURE, options={})).eval()
    found = views(network, seeded(), two=True)
    generator = seeded()
    for view in found:
        assert torch.equal(view, network(augmented(network, generator)))
    assert not torch.allclose(*found, atol=1e-3)


# With styles


def test_the_first_of_two_views_is_never_re_styled(asked):
    network = styled_network()
    first, _ = views(network, seeded(), 1.0, two=True)
    stays, styled = asked
    assert stays.targets.tolist() == [STAYS] * 4
    assert stays.sources.tolist() == styled.sources.tolist() == [0, 1, 2, 0]
    assert (styled.targets >= 0).all()
    plain = tiny_network(replace(STYLED, tnorm=False)).train()
    assert torch.equal(first, plain(augmented(plain, seeded())))


def test_the_only_view_is_re_styled(asked):
    network = styled_network()
    before = {k: v.clone() for k, v in network.styles.state_dict().items()}
    views(network, seeded(), 1.0)
    (style,) = asked
    assert (style.targets >= 0).all()
    # Training moves no moments: they are measured.
    state = network.styles.state_dict()
    assert all(torch.equal(state[key], value) for key, value in before.items())


def test_re_styling_changes_the_features_of_no_other_image(asked):
    # In evaluation nothing else connects the images of a batch.
    network = styled_network().eval()
    styled, _ = views(network, seeded(3), 0.5)
    (style,) = asked
    plain, _ = views(network, seeded(3), 0.0)
    stays = style.targets == STAYS
    assert 0 < stays.sum() < 4
    assert torch.equal(styled[stays], plain[stays])
    assert torch.equal((styled != plain).any(1), ~stays)


def test_a_batch_repeats_with_its_generator():
    first, again, other = (
        views(styled_network().eval(), seeded(seed), 0.5, two=True)
        for seed in (4, 4, 5)
    )
    assert torch.equal(first.first, again.first)
    assert torch.equal(first.second, again.second)
    assert not torch.equal(first.second, other.second)


@given(seed=st.integers(0, 2**63 - 1), probability=st.sampled_from([0.0, 0.25, 1.0]))
def test_targets_are_drawn_evenly_for_each_image(seed, probability):
    styles, camids = CameraStyles([1], [2, 5, 7]), np.tile([5, 7, 2], 1000)
    style = _drawn(styles, camids, probability, seeded(seed))
    assert torch.equal(style.sources, styles.positions(camids))
    styled = style.targets[style.targets != STAYS]
    # Five standard deviations of 3,000 and 750 draws.
    assert len(styled) / 3000 == pytest.approx(probability, abs=0.04)
    for target in range(3 if probability else 0):
        share = (styled == target).float().mean().item()
        assert share == pytest.approx(1 / 3, abs=0.09)
