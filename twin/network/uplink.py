"""The cellular uplink of a gateway: frames in the manner of GB/T 26875.3, resent until answered.

An answer is awaited for at most 10 s, and a frame is sent 3 times; what no try brings across is
lost (GB/T 26875.3), unless the sender keeps it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.network.settings import UplinkSettings
from twin.network.telegrams import first_delivery, lognormal

_DEFAULT = UplinkSettings()


def uplink_fate(
    normals: NDArray[np.float64],
    uniforms: NDArray[np.float64],
    settings: UplinkSettings = _DEFAULT,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Whether each frame arrives at the vendor platform, and after how many seconds.

    Parameters
    ----------
    normals : standard normals, shape (n,).
    uniforms : numbers in [0, 1), shape (n, ``settings.tries``).

    Returns
    -------
    delivered : shape (n,).
    delay : seconds until the first try that arrives has arrived; for a frame that does not, until
        the sender has given up; shape (n,).
    """
    delivered, tries = first_delivery(settings.delivery, uniforms)
    latency = np.minimum(
        lognormal(settings.latency, settings.latency_cv, normals), settings.timeout
    )
    last = np.where(delivered, latency, settings.timeout)
    return delivered, np.asarray((tries - 1) * settings.timeout + last, dtype=np.float64)
