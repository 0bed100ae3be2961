"""Chinese map datums against published pairs, and as inverses of each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.roads.coordinates import (
    bd09_to_wgs84,
    gcj02_to_bd09,
    gcj02_to_wgs84,
    wgs84_to_bd09,
    wgs84_to_gcj02,
)

METRES_PER_DEGREE = 111_320.0

# a point on the mainland; the box has corners abroad where the formula is meant for China only
china = {"lon": st.floats(75.0, 134.0), "lat": st.floats(18.5, 53.0)}


def metres(lon: float, lat: float, lon2: float, lat2: float) -> float:
    east = (lon2 - lon) * np.cos(np.radians(lat))
    return float(np.hypot(east, lat2 - lat) * METRES_PER_DEGREE)


def test_published_pairs() -> None:
    """The example of the coordtransform documentation, 116.404 E 39.915 N (Beijing)."""
    assert wgs84_to_gcj02(116.404, 39.915) == pytest.approx(
        (116.41024449916938, 39.91640428150164), abs=1e-10
    )
    assert gcj02_to_bd09(116.404, 39.915) == pytest.approx(
        (116.41036949371029, 39.92133699351021), abs=1e-10
    )


@given(**china)
def test_inverse_within_half_a_metre(lon: float, lat: float) -> None:
    for there, back in ((wgs84_to_gcj02, gcj02_to_wgs84), (wgs84_to_bd09, bd09_to_wgs84)):
        again = back(*there(lon, lat))
        assert metres(lon, lat, float(again[0]), float(again[1])) < 0.01


@given(lon=st.floats(119.0, 121.0), lat=st.floats(31.5, 33.0))
def test_offset_in_jiangsu(lon: float, lat: float) -> None:
    """The documented 100 to 700 m, which the 50 m and 200 m of 5.1.2 do not forgive."""
    x, y = wgs84_to_gcj02(lon, lat)
    assert 100.0 < metres(lon, lat, float(x), float(y)) < 700.0


def test_outside_china_nothing_moves() -> None:
    lon, lat = wgs84_to_gcj02([11.6, -74.0], [49.9, 40.7])
    assert lon.tolist() == [11.6, -74.0]
    assert lat.tolist() == [49.9, 40.7]
    back = gcj02_to_wgs84([11.6], [49.9])
    assert (back[0][0], back[1][0]) == (11.6, 49.9)
