"""Numbers as people read them."""

from __future__ import annotations

from typing import Any

SPACE = "\N{NO-BREAK SPACE}"


def percent(fraction: float) -> str:
    """Return a fraction as percent with one decimal: 0.5362 is 53.6 %."""
    return f"{100 * fraction:.1f}{SPACE}%"


def interval(low: float, high: float) -> str:
    """Return an interval of fractions in percent: [50.3, 57.0]."""
    return f"[{100 * low:.1f},{SPACE}{100 * high:.1f}]"


def count(number: int) -> str:
    """Return a number with a comma every three digits."""
    return f"{number:,}"


def size(num_bytes: int) -> str:
    """Return a size in bytes, kB or MB (10^3 and 10^6 bytes)."""
    for factor, unit in ((10**6, "MB"), (10**3, "kB")):
        if num_bytes >= factor:
            return f"{num_bytes / factor:.1f}{SPACE}{unit}"
    return f"{num_bytes}{SPACE}B"


def value(parameter: Any) -> str:
    """Return a parameter as it stands in params.yaml."""
    if isinstance(parameter, bool):
        return "true" if parameter else "false"
    if isinstance(parameter, list):
        return f"[{', '.join(map(value, parameter))}]"
    return "null" if parameter is None else str(parameter)
