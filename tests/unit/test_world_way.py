"""The way of a message: one device at a time gives what the whole fleet gives."""

from __future__ import annotations

import numpy as np
import pytest

from devices import KINDS
from twin.network.settings import NetworkSettings
from twin.roads.load import load_roads
from twin.roads.settings import RoadSettings
from twin.streams import Streams
from twin.vendor.settings import VendorSettings
from twin.venues.build import build_venues
from twin.venues.settings import VenueSettings
from twin.world.way import LOST, POWER, Way

SECONDS = 60 * 86400.0


@pytest.fixture(scope="module")
def way() -> Way:
    """A small fleet on two vendors that are down often, with many outages of everything."""
    network = NetworkSettings.model_validate(
        {"power": {"cuts": "20 /year"}, "nbiot": {"cell_outages": "20 /year"}}
    )
    often = {"share": "50 %", "outages": "40 /year", "outage": "20 h", "push_loss": "20 %"}
    vendors = [
        VendorSettings.model_validate({**often, "heartbeat": "1 h"}),
        VendorSettings.model_validate(often),
    ]
    streams = Streams(3)
    venues, fleet = build_venues(
        VenueSettings.model_validate({"points": 400}), load_roads(RoadSettings()), streams
    )
    return Way(
        network,
        vendors,
        KINDS,
        fleet.kind_slices,
        fleet.venue.astype(np.int64),
        fleet.gateway.astype(np.int64),
        (venues.x, venues.y),
        streams,
        SECONDS,
    )


def test_one_device_gives_what_the_fleet_gives(way: Way) -> None:
    rng = np.random.default_rng(0)
    device = rng.integers(0, way.devices, 3000)
    time = rng.random(3000) * SECONDS
    flags = way.at_platform(device, way.vendor_flag(device, time))
    known = way.state_known(device, time)
    for d, t, flag, state in zip(
        device.tolist(), time.tolist(), flags.tolist(), known.tolist(), strict=True
    ):
        assert way.flagged_one(d, t) == pytest.approx(flag, abs=1e-3)
        assert way.state_known_one(d, t) == pytest.approx(state, abs=1e-3)
        assert state >= t


def test_a_mains_device_without_power_sends_nothing(way: Way) -> None:
    mains = np.flatnonzero(way.mains & (way.backup == 0.0))
    feeder = int(way.feeders.entity[np.isin(way.feeders.entity, way.feeder[mains])][0])
    start, end = way.feeders.of(feeder)
    hit = mains[way.feeder[mains] == feeder]
    during = np.full(len(hit), (start[0] + end[0]) / 2)
    arrival, lost = way.event(("test",), hit, during, np.zeros(len(hit), np.int64))
    assert set(lost.tolist()) == {POWER}
    assert LOST[POWER] == "power"
    assert np.isinf(arrival).all()
    after = np.full(len(hit), end[0] + 1.0)
    _, lost = way.event(("test",), hit, after, np.zeros(len(hit), np.int64))
    assert POWER not in lost


def test_nobody_is_heard_before_the_outage_is_over(way: Way) -> None:
    area = way.area
    assert len(area.device) > 100
    assert np.all(area.heard >= area.end)
    assert np.all(area.end > area.start)
