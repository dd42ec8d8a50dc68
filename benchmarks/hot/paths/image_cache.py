"""A pass over augmented training images: decoded once, or image by image."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms as t
from torchvision.transforms import functional as f

from benchmarks.hot.path import Agreement, Arrays, Case, Goal, Implementation, Path
from benchmarks.hot.photographs import photographs
from crosscam.data.augment import AugmentParams, augment
from crosscam.data.images import decode_all
from crosscam.data.packed import PackedImages

SIZE = (256, 128)
BATCH = 64
PAD = 10
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
IICS = AugmentParams(
    flip=0.5,
    pad=PAD,
    colour=0.0,
    tint=0.0,
    erase=0.5,
    erase_area=(0.02, 0.4),
    erase_aspect=0.3,
)
ONCE, CACHED = "decoded", "from the cache"


def inputs(num: int, _: str) -> Arrays:
    """Return the bytes of JPEG files and where each of them begins."""
    files = photographs(num)
    ends = np.cumsum([len(file) for file in files])
    return {"bytes": np.frombuffer(b"".join(files), np.uint8), "ends": ends}


def slices(arrays: Arrays) -> list[tuple[int, int]]:
    """Return where each file begins and ends."""
    ends = arrays["ends"].tolist()
    return list(zip([0, *ends[:-1]], ends, strict=True))


def decoded(arrays: Arrays) -> Tensor:
    """Return all images in one tensor."""
    table = pd.DataFrame(slices(arrays), columns=["offset", "end"])
    table["size"] = table["end"] - table["offset"]
    with tempfile.TemporaryDirectory() as folder:
        file = File(folder) / "images.bin"
        file.write_bytes(arrays["bytes"].tobytes())
        return decode_all(PackedImages(file), table, SIZE, limit_gb=8)


def passed(pixels: Tensor, params: AugmentParams) -> Tensor:
    """Return all images augmented, a batch at a time."""
    draws = torch.Generator().manual_seed(0)
    result = torch.empty(pixels.shape, memory_format=torch.channels_last)
    for start in range(0, len(pixels), BATCH):
        rows = slice(start, start + BATCH)
        result[rows] = augment(pixels[rows], params, MEAN, STD, draws)
    return result


def ours(arrays: Arrays, _: int, start: str) -> Callable[[], Arrays]:
    """Start ours, from the files or from the tensor that they are kept in."""
    kept = decoded(arrays) if start == CACHED else None

    def run() -> Arrays:
        pixels = decoded(arrays) if kept is None else kept
        return {"matrix": passed(pixels, IICS).numpy()}

    return run


def torchvision(arrays: Arrays, *_: object) -> Callable[[], Arrays]:
    """Start Pillow and torchvision's transforms in the order of IICS."""
    chain = t.Compose([
        t.Resize(SIZE, interpolation=t.InterpolationMode.BICUBIC),
        t.RandomHorizontalFlip(),
        t.Pad(PAD),
        t.RandomCrop(SIZE),
        t.ToTensor(),
        t.Normalize(MEAN, STD),
        t.RandomErasing(value=MEAN),
    ])
    files = opened(arrays)
    return lambda: {
        "matrix": torch.stack([chain(load(file)) for file in files]).numpy()
    }


def opened(arrays: Arrays) -> list[bytes]:
    """Return the files."""
    return [arrays["bytes"][start:end].tobytes() for start, end in slices(arrays)]


def load(file: bytes) -> Image.Image:
    """Return an image as datasets load it."""
    return Image.open(io.BytesIO(file)).convert("RGB")


def ours_unerased(arrays: Arrays, *_: object) -> Callable[[], Arrays]:
    """Start ours without erasing, which the programs fill with different values."""
    pixels, params = decoded(arrays), replace(IICS, erase=0.0)
    return lambda: {"matrix": passed(pixels, params).numpy()}


def same_draws(arrays: Arrays, *_: object) -> Callable[[], Arrays]:
    """Start torchvision's functions on the draws that ours makes."""
    files = opened(arrays)
    draws = torch.Generator().manual_seed(0)

    def one(file: bytes, flip: bool, down: int, right: int) -> Tensor:
        image = f.resize(load(file), list(SIZE), t.InterpolationMode.BICUBIC)
        image = f.pad(f.hflip(image) if flip else image, [PAD])
        tensor = f.to_tensor(f.crop(image, down, right, *SIZE))
        return f.normalize(tensor, MEAN, STD)

    def run() -> Arrays:
        found = []
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            moves = drawn(len(batch), draws)
            found += [one(file, *m) for file, m in zip(batch, moves, strict=True)]
        return {"matrix": torch.stack(found).view(len(files), -1).numpy()}

    return run


def same_pixels(ours: Arrays, peer: Arrays, _: float) -> Agreement:
    """Compare the pixels, 0 to 255, that were normalised."""
    scale, shift = (np.array(part, "f4").reshape(3, 1, 1) for part in (STD, MEAN))
    differing = 0
    for one, two in zip(ours["matrix"], peer["matrix"], strict=True):
        first, second = (
            np.rint(255 * (each.reshape(3, *SIZE) * scale + shift))
            for each in (one, two)
        )
        differing += int((first != second).sum())
    if not differing:
        return Agreement("pixel-identical", holds=True)
    num = ours["matrix"].size
    return Agreement(f"{differing:,} of {num:,} pixel values differ", holds=False)


def drawn(num: int, draws: torch.Generator) -> list[tuple[bool, int, int]]:
    """Return flips and places of the crops as `augment` draws them."""
    flip = torch.rand(num, generator=draws) < IICS.flip
    down, right = (
        torch.randint(2 * PAD + 1, (num, 1), generator=draws)[:, 0] for _ in range(2)
    )
    right = torch.where(flip, 2 * PAD - right, right)  # `augment` crops, then flips
    for _ in range(5):  # of the erased rectangles
        torch.rand(num, generator=draws)
    return list(zip(flip.tolist(), down.tolist(), right.tolist(), strict=True))


PATH = Path(
    title="training images, 256 × 128, augmented",
    inputs=inputs,
    ours=Implementation("crosscam", ours),
    peers={
        "torchvision": Implementation(
            "Pillow and torchvision, image by image", torchvision
        )
    },
    untimed={
        "unerased": Implementation("crosscam without erasing", ours_unerased),
        "drawn": Implementation("torchvision on the same draws", same_draws),
    },
    checks={"torchvision": ("unerased", "drawn")},
    agreement=same_pixels,
    cases=(
        Case("512, first pass", (512, ONCE)),
        Case("512, later passes", (512, CACHED), {"torchvision": Goal(cpu=5)}),
    ),
    quick=(64, CACHED),
    warm=lambda _, start: (8, start),
)
