from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crosscam.data import augment as under_test
from crosscam.data.augment import GREY, AugmentParams, augment, normalise

seeds = st.integers(0, 2**63 - 1)
NOTHING = AugmentParams(
    flip=0.0,
    pad=0,
    colour=0.0,
    tint=0.0,
    erase=0.0,
    erase_area=(0.02, 0.4),
    erase_aspect=0.3,
)
EVERYTHING = AugmentParams(0.5, 2, 0.3, 0.2, 0.5, (0.02, 0.4), 0.3)
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)


def augmented(images, params, seed=0, mean=(0.0,) * 3, std=(1 / 255,) * 3):
    """Return augmented images, on the scale of the pixels unless told otherwise."""
    generator = torch.Generator().manual_seed(seed)
    return augment(images, params, mean, std, generator)


def grey(*rows, num=1):
    """Return equal images whose channels all have these rows of values."""
    return torch.tensor(rows, dtype=torch.uint8).expand(num, 3, -1, -1).clone()


def random_images(seed=0, num=6, height=8, width=5):
    generator = torch.Generator().manual_seed(seed)
    shape = (num, 3, height, width)
    return torch.randint(256, shape, generator=generator).to(torch.uint8)


def test_normalise():
    images = torch.tensor([255, 102, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    result = normalise(images, MEAN, STD).flatten()
    assert result.tolist() == pytest.approx([0.5 / 0.2, 0, -0.3 / 0.4])
    assert torch.equal(normalise(images.float(), MEAN, STD).flatten(), result)


def test_nothing_but_normalisation():
    images = random_images()
    result = augmented(images, NOTHING, mean=MEAN, std=STD)
    assert torch.equal(result, normalise(images, MEAN, STD))
    assert result.dtype == torch.float32


def test_flip():
    images = grey([10, 20])
    always = augmented(images, replace(NOTHING, flip=1.0))
    assert always[0, 0].tolist() == [[20, 10]]
    images = grey([10, 20], num=400)
    sometimes = augmented(images, replace(NOTHING, flip=0.25))[:, 0, 0, 0]
    assert set(sometimes.tolist()) == {10, 20}
    assert (sometimes == 20).float().mean().item() == pytest.approx(0.25, abs=0.07)


def test_a_crop_is_a_window_of_the_image_and_its_border():
    # Of one pixel with a border of one, one window in nine shows the pixel.
    shown = augmented(grey([90], num=900), replace(NOTHING, pad=1)).flatten(1)
    assert shown.unique().tolist() == [0, 90]
    assert (shown[:, 0] == 90).float().mean().item() == pytest.approx(1 / 9, abs=0.04)


@given(seed=seeds, flip=st.sampled_from([0.0, 1.0]))
def test_every_crop_is_such_a_window(seed, flip):
    images = random_images(seed % 1000, num=3, height=4, width=3)
    result = augmented(images, replace(NOTHING, pad=2, flip=flip), seed)
    turned = images.flip(3) if flip else images
    padded = torch.nn.functional.pad(turned, (2, 2, 2, 2)).float()
    for image, whole in zip(result, padded, strict=True):
        windows = whole.unfold(1, 4, 1).unfold(2, 3, 1)  # (3, 5, 5, 4, 3)
        found = (windows == image[:, None, None]).all(dim=(0, 3, 4))
        assert found.any()


def test_colour_factors_by_hand():
    images = torch.tensor([[[[50, 100]], [[150, 50]], [[100, 200]]]], dtype=torch.uint8)
    draws = torch.Generator().manual_seed(3)
    torch.rand(1, generator=draws)  # flip
    torch.randint(1, (1, 1), generator=draws), torch.randint(1, (1, 1), generator=draws)
    bright, contrast, saturation = (
        0.8 + 0.4 * torch.rand(1, generator=draws).item() for _ in range(3)
    )
    pixels = [(50, 150, 100), (100, 50, 200)]

    def luma(pixel):
        return sum(weight * value for weight, value in zip(GREY, pixel, strict=True))

    pixels = [[bright * value for value in pixel] for pixel in pixels]
    middle = sum(luma(pixel) for pixel in pixels) / 2
    pixels = [[middle + contrast * (v - middle) for v in pixel] for pixel in pixels]
    expected = [
        [luma(pixel) + saturation * (v - luma(pixel)) for v in pixel]
        for pixel in pixels
    ]
    result = augmented(images, replace(NOTHING, colour=0.2), seed=3)
    assert result[0, :, 0].T.tolist() == [pytest.approx(p, abs=1e-3) for p in expected]


def test_grey_stays_grey():
    images = random_images(num=20)[:, :1].expand(-1, 3, -1, -1)
    result = augmented(images, replace(NOTHING, colour=0.5))
    assert torch.allclose(result[:, 0], result[:, 1], atol=1e-3)
    assert torch.allclose(result[:, 0], result[:, 2], atol=1e-3)
    assert not torch.allclose(result[:, 0], images[:, 0].float(), atol=1)


def test_brightness_of_an_even_image():
    # Neither contrast nor saturation changes an image of one grey.
    values = augmented(grey([100, 100], num=300), replace(NOTHING, colour=0.3))
    assert torch.allclose(values, values[:, :1, :, :1].expand_as(values), atol=1e-3)
    assert 70 <= values.min() < 74
    assert 126 < values.max() <= 130


def test_tint_changes_each_channel_alone():
    values = augmented(grey([100, 50], num=300), replace(NOTHING, tint=0.2))
    factors = values / torch.tensor([100, 50])
    assert torch.allclose(factors[..., 0], factors[..., 1])
    assert 0.8 <= factors.min() < 0.81
    assert 1.19 < factors.max() <= 1.2
    assert (factors[:, 0, 0, 0] - factors[:, 1, 0, 0]).abs().max() > 0.3


def test_pixels_stay_in_their_range():
    images = grey([0, 255], num=100)
    values = augmented(images, replace(NOTHING, colour=1.0, tint=1.0))
    assert values.min() == 0
    assert values.max() == 255


def test_erasing_sets_the_mean():
    # Half of 8 × 8 pixels, square: a side of √32 = 5.66, i.e. 6 pixels.
    params = replace(NOTHING, erase=1.0, erase_area=(0.5, 0.5), erase_aspect=1.0)
    images = torch.full((50, 3, 8, 8), 255, dtype=torch.uint8)
    result = augmented(images, params, mean=MEAN, std=STD)
    erased = (result == 0).all(1)
    assert (erased.sum((1, 2)) == 36).all()
    assert torch.equal((result == 0).any(1), erased)
    corners = {tuple(each.nonzero()[0].tolist()) for each in erased}
    assert corners == {(top, left) for top in range(3) for left in range(3)}
    kept = result.movedim(1, 3)[~erased]
    assert torch.equal(
        kept, normalise(images[:1, :, :1, :1], MEAN, STD).view(1, 3).expand_as(kept)
    )


@given(seed=seeds)
def test_what_is_erased_is_a_rectangle(seed):
    params = replace(NOTHING, erase=1.0, erase_area=(0.05, 0.3), erase_aspect=0.5)
    white = torch.full((4, 3, 24, 16), 255, dtype=torch.uint8)
    for erased in augmented(white, params, seed)[:, 0] == 0:
        rows, columns = erased.any(1), erased.any(0)
        tall, wide = rows.sum().item(), columns.sum().item()
        assert torch.equal(erased, rows[:, None] & columns)
        # Sides are rounded: by half a pixel at most.
        assert (tall - 0.5) * (wide - 0.5) <= 0.3 * 24 * 16
        assert (tall + 0.5) * (wide + 0.5) >= 0.05 * 24 * 16
        assert (tall - 0.5) / (wide + 0.5) <= 2
        assert (wide - 0.5) / (tall + 0.5) <= 2


def test_rectangles_are_as_often_tall_as_wide():
    params = replace(NOTHING, erase=1.0, erase_area=(0.2, 0.2))
    white = torch.full((400, 3, 20, 20), 255, dtype=torch.uint8)
    erased = augmented(white, params)[:, 0] == 0
    tall, wide = erased.any(2).sum(1), erased.any(1).sum(1)
    assert (tall > wide).float().mean().item() == pytest.approx(0.5, abs=0.07)
    # Height to width from 0.3 to its inverse: 0.2 · 400 pixels are 4.9 by 16.3.
    assert tall.max().item() == wide.max().item() == 16


def test_erasing_has_a_probability():
    white = torch.full((400, 3, 4, 4), 255, dtype=torch.uint8)
    result = augmented(white, replace(NOTHING, erase=0.25))
    changed = (result == 0).flatten(1).any(1).float().mean().item()
    assert changed == pytest.approx(0.25, abs=0.07)


def test_a_rectangle_can_be_larger_than_the_image():
    params = replace(NOTHING, erase=1.0, erase_area=(1.0, 1.0), erase_aspect=0.01)
    result = augmented(random_images(), params)
    assert result.shape == (6, 3, 8, 5)
    assert (result == 0).any()


def test_the_generator_is_the_only_source_of_randomness():
    images = random_images()
    first = augmented(images, EVERYTHING, seed=5)
    torch.manual_seed(123)
    assert torch.equal(augmented(images, EVERYTHING, seed=5), first)
    assert not torch.equal(augmented(images, EVERYTHING, seed=6), first)


def test_images_are_left_alone():
    images = random_images()
    before = images.clone()
    augmented(images, EVERYTHING)
    assert torch.equal(images, before)


def test_draws_do_not_depend_on_the_device():
    here, elsewhere = (torch.Generator().manual_seed(1) for _ in range(2))
    images = random_images()
    augment(images, EVERYTHING, MEAN, STD, here)
    abstract = augment(images.to("meta"), EVERYTHING, MEAN, STD, elsewhere)
    assert abstract.device.type == "meta"
    assert torch.equal(here.get_state(), elsewhere.get_state())


def by_tensor_operations(images, move, box, pad, table):
    """Do as a GPU does, step by step."""
    levels = under_test._flip_and_crop(images, move, pad).float()
    plain = table is under_test.LEVELS
    values = levels if plain else normalise(levels, MEAN, STD)
    return under_test._erase(values, box)


@given(
    seed=seeds,
    size=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    pad=st.integers(0, 10),
    colour=st.sampled_from([0.0, 0.3]),
)
def test_one_pass_gives_the_bits_of_the_steps(seed, size, pad, colour):
    images = random_images(seed % 1000, 5, *size)
    params = replace(EVERYTHING, pad=pad, colour=colour, tint=colour)
    with pytest.MonkeyPatch.context() as patch:
        result = augmented(images, params, seed, MEAN, STD)
        patch.setattr(under_test, "_in_one_pass", by_tensor_operations)
        expected = augmented(images, params, seed, MEAN, STD)
    assert result.numpy().tobytes() == expected.numpy().tobytes()
    # As convolutions take them; and sums over positions go by the order in memory.
    assert result.stride() == expected.stride()
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_images_without_an_order_of_their_own_in_memory():
    images = random_images(height=5)
    turned = images.permute(0, 1, 3, 2)
    assert not turned.is_contiguous()
    expected = augmented(turned.contiguous(), EVERYTHING)
    assert torch.equal(augmented(turned, EVERYTHING), expected)


def test_images_are_varied_each_for_itself():
    images = random_images(num=1).expand(8, -1, -1, -1)
    result = augmented(images, EVERYTHING)
    assert len(result.flatten(1).unique(dim=0)) == 8


def test_the_erased_area_is_a_range():
    with pytest.raises(ValueError, match=r"erase_area: must be .* got \(0\.4, 0\.02\)"):
        replace(NOTHING, erase_area=(0.4, 0.02))
