"""Functions of float32 whose last digits do not depend on the type of CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def rounded(
    function: Callable[[NDArray[Any]], NDArray[Any]], values: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return a function of values, computed in float64 and rounded once.

    numpy computes powers, arcsines and the like of float32 by other polynomials where
    the CPU has AVX-512: one power in five differs by a last digit. In float64 they
    differ, too, but so little that the float32 is another one once in 10⁸ values.
    """
    return function(values.astype(np.float64)).astype(np.float32)
