"""What all links share: telegrams that are repeated until one arrives, and lognormal delays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def first_delivery(
    ratio: ArrayLike, uniforms: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which telegrams arrive, and with which of their transmissions.

    Parameters
    ----------
    ratio : share of single transmissions that arrive, a number or shape (n,).
    uniforms : shape (n, attempts), one number in [0, 1) per transmission.

    Returns
    -------
    delivered : shape (n,), whether any transmission arrived.
    tries : shape (n,), the transmissions used, from 1 to attempts (all of them if none arrived).
    """
    arrived = uniforms < np.asarray(ratio, dtype=np.float64)[..., None]
    delivered = np.asarray(arrived.any(axis=1))
    tries = np.where(delivered, arrived.argmax(axis=1) + 1, uniforms.shape[1]).astype(np.int64)
    return delivered, tries


def lognormal(mean: ArrayLike, cv: float, normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lognormal values with the given mean and coefficient of variation from standard normals."""
    variance = math.log1p(cv * cv)
    spread = np.exp(math.sqrt(variance) * normals - variance / 2.0)
    return np.asarray(np.asarray(mean, dtype=np.float64) * spread, dtype=np.float64)
