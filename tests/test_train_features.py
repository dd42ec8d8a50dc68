from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from crosscam.data.augment import normalise
from crosscam.model.heads import Head, HeadParams
from crosscam.model.moments import Style
from crosscam.model.network import Network
from crosscam.params import ParamsError
from crosscam.train.features import (
    features,
    raw_features,
    score_vectors,
    styled_features,
    unit_features,
)
from crosscam.train.measure import measure_styles
from crosscam.train.rounds import TrainingSet
from tests.tiny import (
    ARCHITECTURE,
    NUM_CAMERAS,
    WHOLE,
    tiny_images,
    tiny_network,
)

LINEAR = HeadParams("linear", 1.0)


def head_with(*rows):
    weight = torch.tensor(rows)
    head = Head(weight.shape[1], len(weight), LINEAR, neck=False)
    with torch.no_grad():
        head.weight.copy_(weight)
    return head


def test_mean_of_an_image_and_its_mirror_image():
    network, pixels = tiny_network(), tiny_images().pixels[:3]
    raw = raw_features(network.train(), pixels, batch_size=8)
    assert not network.training
    batch = normalise(pixels, network.mean, network.std)
    with torch.no_grad():
        expected = (network(batch) + network(batch.flip(3))) / 2
    assert torch.allclose(raw, expected, atol=1e-6)
    assert raw.shape == (3, network.feature_size)


def test_a_mirror_image_has_the_same_features():
    network, pixels = tiny_network(), tiny_images().pixels[:3]
    raw = raw_features(network, pixels, batch_size=8)
    assert torch.allclose(raw, raw_features(network, pixels.flip(3), 8), atol=1e-5)


def test_size_of_the_batches_does_not_matter():
    network, pixels = tiny_network(), tiny_images().pixels
    whole = raw_features(network, pixels, batch_size=64)
    for size in (1, 7, 44):
        assert torch.allclose(raw_features(network, pixels, size), whole, atol=1e-5)


def test_no_images():
    network, none = tiny_network(), torch.empty(0, 3, 64, 32, dtype=torch.uint8)
    raw = raw_features(network, none, batch_size=8)
    assert raw.shape == (0, network.feature_size)
    assert unit_features(raw).shape == (0, network.feature_size)


def test_the_running_statistics_stay():
    network = tiny_network(replace(ARCHITECTURE, neck="feature"))
    before = network.neck.running_mean.clone()
    raw_features(network, tiny_images().pixels[:4], batch_size=2)
    assert torch.equal(network.neck.running_mean, before)


def test_unit_length():
    features = unit_features(torch.tensor([[3.0, 4.0], [0.0, -2.0], [0.0, 0.0]]))
    assert features.ravel().tolist() == pytest.approx([0.6, 0.8, 0, -1, 0, 0])
    assert features.dtype == np.float32


def test_scores_of_two_heads_by_hand():
    # ln 3 and 0 give 3/4 and 1/4; three equal logits a third each.
    log3 = float(np.log(3))
    heads = {4: head_with((0.0,), (0.0,), (0.0,)), 1: head_with((log3,), (0.0,))}
    scores = score_vectors(heads, torch.ones(1, 1))
    assert scores.tolist() == [pytest.approx([3 / 4, 1 / 4, 1 / 3, 1 / 3, 1 / 3])]
    turned = score_vectors(dict(reversed(heads.items())), torch.ones(1, 1))
    assert np.array_equal(turned, scores)


@pytest.mark.parametrize("num_images", [0, 3])
def test_scores_without_heads_have_no_columns(num_images):
    scores = score_vectors({}, torch.ones(num_images, 4))
    assert scores.shape == (num_images, 0)
    assert scores.dtype == np.float32


def test_scores_do_not_depend_on_the_other_images():
    torch.manual_seed(0)
    heads = {0: Head(4, 3, LINEAR, neck=True).train()}
    raw = torch.randn(6, 4)
    scores = score_vectors(heads, raw)
    assert np.allclose(score_vectors(heads, raw[:1]), scores[:1])
    assert scores.sum(axis=1) == pytest.approx(np.ones(6))
    assert heads[0].norm.running_mean.tolist() == [0, 0, 0, 0]


# In the styles of all cameras


@pytest.fixture(scope="module")
def styled():
    """Return a network that knows the styles of the tiny images' cameras."""
    network = tiny_network(WHOLE)
    measure_styles(network, tiny_images(), 64)
    return network


def random_heads(network):
    torch.manual_seed(2)
    size = network.feature_size
    heads = {c: Head(size, 2 + c, LINEAR, neck=True) for c in range(NUM_CAMERAS)}
    for head in heads.values():
        torch.nn.init.normal_(head.weight)
    return heads


def in_style(network, images, target):
    """Return the features of images, one by one, in the style of a camera."""
    batch = normalise(images.pixels, network.mean, network.std)
    sources = network.styles.positions(images.camids)
    rows = []
    for image, source in zip(batch, sources, strict=True):
        style = Style(source[None], torch.tensor([target]))
        with torch.no_grad(), network.styles.applied(style):
            rows.append((network(image[None]) + network(image.flip(2)[None])) / 2)
    return torch.cat(rows)


def test_features_and_scores_over_all_styles(styled):
    images, heads = first_images(5), random_heads(styled)
    raw, scores = styled_features(styled.train(), *images, 4, heads)
    assert not styled.training
    by_target = [in_style(styled, images, target) for target in range(NUM_CAMERAS)]
    assert torch.allclose(raw, sum(by_target) / NUM_CAMERAS, atol=1e-5)
    # Each camera's head sees the images in its own camera's style.
    with torch.no_grad():
        parts = [heads[c](by_target[c]).softmax(1) for c in range(NUM_CAMERAS)]
    assert np.allclose(scores, torch.cat(parts, dim=1), atol=1e-5)
    assert not np.allclose(scores, score_vectors(heads, raw), atol=1e-2)
    assert not torch.allclose(raw, raw_features(styled, images.pixels, 64), atol=1e-2)


def first_images(num):
    pixels, camids = tiny_images()
    return TrainingSet(pixels[:num], camids[:num])


@pytest.mark.parametrize("size", [1, 3, 7, 500])
def test_size_of_the_batches_does_not_matter_to_styles(styled, size):
    images, heads = first_images(10), random_heads(styled)
    whole = styled_features(styled, *images, 30, heads)
    raw, scores = styled_features(styled, *images, size, heads)
    assert torch.allclose(raw, whole.raw, atol=1e-5)
    assert np.allclose(scores, whole.scores, atol=1e-5)


def test_a_mirror_image_has_the_same_features_in_all_styles(styled):
    pixels, camids = first_images(4)
    raw = styled_features(styled, pixels, camids, 64, {}).raw
    mirrored = styled_features(styled, pixels.flip(3), camids, 64, {}).raw
    assert torch.allclose(raw, mirrored, atol=1e-5)


def test_the_shared_part_is_computed_once_per_image(styled):
    passed = {}
    stages = styled.backbone.stages
    hooks = [
        module.register_forward_pre_hook(
            lambda _, inputs, i=i: passed.setdefault(i, []).append(len(inputs[0]))
        )
        for i, module in enumerate([styled.backbone.stem, stages[0], stages[1]])
    ]
    styled_features(styled, *first_images(5), batch_size=6, heads={})
    for hook in hooks:
        hook.remove()
    # Six images in a pass are two in three styles each, both as mirror images too.
    assert passed == {0: [4, 4, 2], 1: [4, 4, 2], 2: [12, 12, 6]}


def test_a_single_camera_changes_nothing():
    network, (pixels, _) = Network(WHOLE, [3]), first_images(4)
    images = TrainingSet(pixels, np.full(4, 3))
    measure_styles(network, images, 64)
    raw = styled_features(network, *images, 64, {}).raw
    assert torch.allclose(raw, raw_features(network, pixels, 64), atol=1e-5)


def test_the_style_of_the_own_camera_changes_nothing(styled):
    """What arrives in the style of the own camera is what arrives as it is."""
    pixels, camids = first_images(5)
    raw = raw_features(styled, pixels, 64)
    for target in range(NUM_CAMERAS):
        same = camids == target
        found = in_style(styled, TrainingSet(pixels, camids), target)
        assert torch.allclose(found[same], raw[same], atol=1e-4)
        assert not torch.allclose(found[~same], raw[~same], atol=1e-2)


@pytest.mark.parametrize("network", [WHOLE, ARCHITECTURE], ids=["styled", "plain"])
def test_features_without_heads_have_no_scores(network):
    images = first_images(3)
    raw, scores = styled_features(tiny_network(network), *images, 4, {})
    assert raw.shape[0] == 3
    assert scores.shape == (3, 0)


def test_without_styles_they_are_the_plain_ones():
    network, images = tiny_network(), first_images(5)
    heads = random_heads(network)
    raw, scores = styled_features(network, *images, 2, heads)
    assert torch.equal(raw, raw_features(network, images.pixels, 2))
    assert np.array_equal(scores, score_vectors(heads, raw))


@pytest.mark.parametrize("num_heads", [0, NUM_CAMERAS])
def test_no_images_in_any_style(styled, num_heads):
    heads = {c: head for c, head in random_heads(styled).items() if c < num_heads}
    raw, scores = styled_features(styled, *first_images(0), 8, heads)
    assert raw.shape == (0, styled.feature_size)
    assert scores.shape == (0, sum(2 + c for c in heads))


def test_test_images_as_they_are_or_over_all_styles(styled):
    pixels, camids = first_images(5)
    plain, over_styles = (
        features(styled, pixels, 8),
        features(styled, pixels, 8, camids),
    )
    assert np.array_equal(plain, unit_features(raw_features(styled, pixels, 8)))
    expected = styled_features(styled, pixels, camids, 8, {}).raw
    assert np.array_equal(over_styles, unit_features(expected))
    assert not np.allclose(plain, over_styles, atol=1e-2)
    unaware = tiny_network()
    assert np.array_equal(
        features(unaware, pixels, 8, camids), features(unaware, pixels, 8)
    )


def test_a_camera_without_a_known_style(styled):
    pixels, _ = first_images(2)
    with pytest.raises(ParamsError, match=r"styles of cameras \[4\] are not known"):
        features(styled, pixels, 8, np.array([0, 3]))
