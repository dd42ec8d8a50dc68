"""Seeded ways to spoil bytes and texts."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

NUMBERS = (0, 1, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)
TOKENS = (
    *("0", "-1", "1e999", ".inf", ".nan", "nan", "inf", "-0", "0x" + "f" * 5000),
    *(
        "9" * 30,
        "9" * 5000,
        "1_000",
        "٣",
        "2024-13-01",
        "12:30:45",
        "true",
        "null",
        "~",
    ),
    *(
        '""',
        '"\\ud800"',
        '"\\0"',
        "''",
        "'",
        '"',
        "[",
        "]",
        "{",
        "}",
        "[]",
        "{}",
        "[[]]",
    ),
    *(
        "&a [*a]",
        "*b",
        "!!int ''",
        "!!float x",
        "!!timestamp x",
        "!!binary '*'",
        "!!set x",
    ),
    *(
        "!!python/name:os.system",
        "!!bool x",
        "!!omap [1]",
        "!!null x",
        "<<",
        "? [1]\n: 2",
    ),
    *(
        "%YAML 1.1\n---\n",
        "%TAG ! x\n",
        "---\n",
        "...\n",
        "# ",
        "|\n",
        ">9\n",
        "- " * 300,
    ),
    *(
        ",",
        ",,",
        ";",
        "\n",
        "\r",
        "\r\n",
        "\t",
        "\0",
        "\ufeff",
        "\u2028",
        "\x1b[2J",
        ":",
    ),
)
_WORD = re.compile(r"[\w.+-]+")


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Return one of the options."""
    return options[int(rng.integers(len(options)))]


def spoiled(data: bytes, rng: np.random.Generator) -> bytes:
    """Return bytes with one to eight faults."""
    for _ in range(int(rng.integers(1, 9))):
        data = pick(rng, BYTE_FAULTS)(data, rng)
    return data


def reworded(text: str, rng: np.random.Generator) -> str:
    """Return a text with one to four faults."""
    for _ in range(int(rng.integers(1, 5))):
        text = pick(rng, TEXT_FAULTS)(text, rng)
    return text


def _place(data: Sequence[object], rng: np.random.Generator) -> int:
    """Return a place, half of the time near the end, where a zip's directory is."""
    size = len(data)
    low = max(0, size - 600) if rng.random() < 0.5 else 0
    return int(rng.integers(low, size + 1))


def _change(data: bytes, rng: np.random.Generator) -> bytes:
    place = _place(data, rng)
    return data[:place] + bytes([int(rng.integers(256))]) + data[place + 1 :]


def _flip(data: bytes, rng: np.random.Generator) -> bytes:
    place = _place(data, rng)
    one = data[place : place + 1]
    return (
        data[:place]
        + bytes(b ^ (1 << int(rng.integers(8))) for b in one)
        + data[place + 1 :]
    )


def _number(data: bytes, rng: np.random.Generator) -> bytes:
    place, form = _place(data, rng), pick(rng, ("<B", "<H", ">H", "<I", ">I", "<Q"))
    size = struct.calcsize(form)
    value = struct.pack(form, pick(rng, NUMBERS) % 256**size)
    return data[:place] + value + data[place + size :]


def _cut(data: bytes, rng: np.random.Generator) -> bytes:
    start = _place(data, rng)
    return data[:start] + data[start + int(rng.geometric(0.05)) :]


def _end(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: _place(data, rng)]


def _repeat(data: bytes, rng: np.random.Generator) -> bytes:
    start, place = _place(data, rng), _place(data, rng)
    chunk = data[start : start + int(rng.geometric(0.02))]
    return data[:place] + chunk * int(rng.integers(1, 4)) + data[place:]


def _noise(data: bytes, rng: np.random.Generator) -> bytes:
    place = _place(data, rng)
    return data[:place] + rng.bytes(int(rng.geometric(0.1))) + data[place:]


def _word(text: str, rng: np.random.Generator) -> str:
    words = [*_WORD.finditer(text)]
    if not words:
        return text
    word = pick(rng, words)
    return text[: word.start()] + pick(rng, TOKENS) + text[word.end() :]


def _insert(text: str, rng: np.random.Generator) -> str:
    place = int(rng.integers(len(text) + 1))
    return text[:place] + pick(rng, TOKENS) + text[place:]


def _character(text: str, rng: np.random.Generator) -> str:
    place = int(rng.integers(len(text) + 1))
    return text[:place] + chr(int(rng.integers(0xD800))) + text[place + 1 :]


def _line(text: str, rng: np.random.Generator) -> str:
    """Take out, repeat, move or indent a line."""
    lines = text.split("\n")
    line = lines.pop(int(rng.integers(len(lines))))
    instead = pick(rng, ([], [line, line], [line], [f"  {line}"], [line.strip()]))
    place = int(rng.integers(len(lines) + 1))
    return "\n".join([*lines[:place], *instead, *lines[place:]])


BYTE_FAULTS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    *(_change, _flip, _number, _cut, _end, _repeat, _noise),
)
TEXT_FAULTS: tuple[Callable[[str, np.random.Generator], str], ...] = (
    *(_word, _word, _insert, _character, _line),
)
