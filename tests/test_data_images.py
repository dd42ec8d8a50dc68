from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from crosscam.data.images import decode, decode_all
from crosscam.data.packed import PackedImages


def encoded(pixels, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def random_pixels(seed, height=6, width=4):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def packed(tmp_path):
    """Return three images, and the table that has them in the order 2, 0, 1, 0."""
    blobs = [encoded(random_pixels(seed)) for seed in range(3)]
    (tmp_path / "images.bin").write_bytes(b"".join(blobs))
    sizes = np.array([len(blob) for blob in blobs])
    offsets = np.cumsum(sizes) - sizes
    order = [2, 0, 1, 0]
    table = pd.DataFrame({"offset": offsets[order], "size": sizes[order]})
    return PackedImages(tmp_path / "images.bin"), table


def test_an_image_of_the_right_size_is_left_alone():
    pixels = random_pixels(0)
    image = decode(encoded(pixels), (6, 4))
    assert np.array_equal(np.asarray(image), pixels)


def test_another_size_is_resized():
    image = decode(encoded(np.full((6, 4, 3), (10, 20, 30), np.uint8)), (8, 16))
    assert image.size == (16, 8)
    assert np.array_equal(
        np.unique(np.asarray(image).reshape(-1, 3), axis=0), [[10, 20, 30]]
    )


def test_resizing_is_bicubic():
    pixels = random_pixels(0)
    expected = Image.fromarray(pixels).resize((8, 12), Image.Resampling.BICUBIC)
    assert np.array_equal(decode(encoded(pixels), (12, 8)), np.asarray(expected))


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 4)])
def test_grey_and_transparent_images_become_rgb(shape):
    image = decode(encoded(np.full(shape, 77, np.uint8)), (6, 4))
    assert image.mode == "RGB"
    assert (np.asarray(image) == 77).all()


def test_all_images_in_the_order_of_the_table(packed):
    images = decode_all(*packed, (6, 4), limit_gb=1)
    assert images.shape == (4, 3, 6, 4)
    assert images.dtype == torch.uint8
    for row, seed in enumerate([2, 0, 1, 0]):
        assert np.array_equal(
            images[row].numpy().transpose(1, 2, 0), random_pixels(seed)
        )


def test_a_mapped_file_holds_the_same_pixels(packed, monkeypatch):
    made = []

    def memmap(*args, **kwargs):
        made.append(original(*args, **kwargs))
        return made[-1]

    original = np.memmap
    in_memory = decode_all(*packed, (5, 3), limit_gb=1)
    monkeypatch.setattr(np, "memmap", memmap)
    assert torch.equal(decode_all(*packed, (5, 3), limit_gb=180e-9), in_memory)
    assert not made  # 4 · 3 · 5 · 3 bytes are just within the limit
    mapped = decode_all(*packed, (5, 3), limit_gb=179e-9)
    assert len(made) == 1
    assert torch.equal(mapped, in_memory)
    assert torch.equal(mapped[torch.tensor([3, 1])], in_memory[[3, 1]])


def test_no_images(packed):
    source, table = packed
    assert decode_all(source, table.iloc[:0], (6, 4), limit_gb=1).shape == (0, 3, 6, 4)
