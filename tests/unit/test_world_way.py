"""The way of a message: one device at a time gives what the whole fleet gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from devices import KINDS
from twin.network.settings import NetworkSettings
from twin.roads.load import load_roads
from twin.roads.settings import RoadSettings
from twin.streams import Streams
from twin.vendor.platform import next_heartbeat
from twin.vendor.settings import VendorSettings
from twin.venues.build import build_venues
from twin.venues.settings import VenueSettings
from twin.world.surroundings import CUT, RS485
from twin.world.way import LOST, POWER, Way

SECONDS = 60 * 86400.0


def build(network: dict[str, Any], vendors: list[dict[str, Any]]) -> Way:
    streams = Streams(3)
    venues, fleet = build_venues(
        VenueSettings.model_validate({"points": 400}), load_roads(RoadSettings()), streams
    )
    return Way(
        NetworkSettings.model_validate(network),
        [VendorSettings.model_validate(vendor) for vendor in vendors],
        KINDS,
        fleet.kind_slices,
        fleet.venue.astype(np.int64),
        fleet.gateway.astype(np.int64),
        (venues.x, venues.y),
        streams,
        SECONDS,
    )


@pytest.fixture(scope="module")
def way() -> Way:
    """A small fleet on two vendors that are down often, with many outages of everything."""
    often = {"share": "50 %", "outages": "40 /year", "outage": "20 h", "push_loss": "20 %"}
    return build(
        {
            "power": {"cuts": "20 /year"},
            "nbiot": {"cell_outages": "20 /year"},
            "uplink": {"outages": "20 /year"},
        },
        [{**often, "heartbeat": "1 h"}, often],
    )


def test_one_device_gives_what_the_fleet_gives(way: Way) -> None:
    rng = np.random.default_rng(0)
    device = rng.integers(0, way.devices, 3000)
    time = rng.random(3000) * SECONDS
    flags = way.at_platform(device, way.vendor_flag(device, time))
    known = way.state_known(device, time)
    registers = rng.random(3000) < 0.5
    seen = way.at_platform(device, way.heard_again(device, time, registers), back=True)
    for d, t, flag, state, at_once, back in zip(
        *(c.tolist() for c in (device, time, flags, known, registers, seen)), strict=True
    ):
        assert way.flagged_one(d, t) == pytest.approx(flag, abs=1e-3)
        assert way.state_known_one(d, t) == pytest.approx(state, abs=1e-3)
        assert way.seen_one(d, t, at_once) == pytest.approx(back, abs=1e-3)
        assert state >= t


def test_each_push_of_a_device_has_its_own_delay_and_loss(way: Way) -> None:
    for back in (False, True):
        device = np.repeat(np.flatnonzero(way.vendor == 0)[:20], 500)
        beat = way.phase[device] + np.tile(np.arange(500), 20) * way.interval[device]
        delay = way.at_platform(device, beat, back) - beat
        pushed = delay < 60.0  # the others wait for a pull
        assert np.mean(pushed) == pytest.approx(0.8, abs=0.02)
        assert np.mean(delay[pushed]) == pytest.approx(1.0, abs=0.05)
        for one in np.unique(device):  # also within a device
            assert np.mean(pushed[device == one]) == pytest.approx(0.8, abs=0.09)
            assert len(np.unique(np.round(delay[(device == one) & pushed], 3))) > 300
    assert not np.array_equal(way.at_platform(device, beat), way.at_platform(device, beat, True))


def test_a_vendor_that_is_down_answers_no_pull(way: Way) -> None:
    device = np.flatnonzero(way.vendor == 0)
    start, end = way.vendor_outages.of(0)
    before = np.full(len(device), start[0] - 1.0)
    known = way.at_platform(device, before)
    by_pull = known > before + 60.0
    assert by_pull.any()
    assert np.all(known[by_pull] >= end[0])


@pytest.fixture(scope="module")
def lossy() -> Way:
    """As :func:`way`, with a radio that loses heartbeats and vendors that are up."""
    network = {"nbiot": {"delivery": dict.fromkeys(("ecl0", "ecl1", "ecl2"), "80 %")}}
    return build(network, [{"heartbeat": "1 h", "missed_heartbeats": 3, "outages": "0 /year"}])


def test_lost_heartbeats_count_with_those_of_an_outage(lossy: Way) -> None:
    # Counted one by one: the third in a row that is lost or not sent makes the flag.
    radio = np.flatnonzero(lossy.loss > 0.0)
    device = radio[:300]
    cut_off = np.random.default_rng(1).uniform(10.0, SECONDS, len(device))
    flag = lossy.vendor_flag(device, cut_off)
    sooner = np.zeros(len(device), int)
    for i, (d, cut) in enumerate(zip(device.tolist(), cut_off.tolist(), strict=True)):
        phase, interval = lossy.phase[d], lossy.interval[d]
        last = int((cut - phase) // interval)
        while sooner[i] < 2 and lossy.beat_lost(np.array([d]), np.array([phase + last * interval])):
            sooner[i] += 1
            last -= 1
        assert flag[i] == pytest.approx(phase + (last + 3) * interval + 600.0)
    assert np.bincount(sooner, minlength=3)[1:].min() > 0
    assert np.mean(sooner >= 1) == pytest.approx(0.2, abs=0.07)


def test_the_first_heartbeats_after_an_outage_can_be_lost(lossy: Way) -> None:
    device = np.repeat(np.flatnonzero(lossy.loss > 0.0), 20)
    restored = np.random.default_rng(2).uniform(10.0, SECONDS, len(device))
    heard = lossy.vendor_unflag(device, restored, np.zeros(len(device), bool))
    late = np.round((heard - next_heartbeat(restored, lossy.phase[device], 3600.0)) / 3600.0)
    # Every fifth, and one in fifty in the runs of three and more that have samples of their own.
    assert np.mean(late >= 1) == pytest.approx(0.21, abs=0.02)
    assert np.mean(late >= 2) == pytest.approx(0.05, abs=0.015)
    at_once = lossy.vendor_unflag(device, restored, np.ones(len(device), bool))
    assert np.array_equal(at_once, restored)


def test_a_host_finds_a_dead_slave_within_a_round_and_its_tries(way: Way) -> None:
    slave = np.flatnonzero(way.link == RS485)
    assert len(slave) > 10
    time = np.full(len(slave), 1234.5)
    told = way.host_report(slave, time, 0) - time
    assert np.all(told >= 3.0)
    assert np.all(told <= 3.1 + way.bus.cycle[slave] + way.network.uplink.latency)
    assert np.all(way.host_report(slave, time, 2) >= way.host_report(slave, time, 0))
    # A host without uplink tells it once that is back.
    who, start, end = way.dark
    hosts = np.isin(who, way.gateway[slave])
    host, since, until = int(who[hosts][0]), float(start[hosts][0]), float(end[hosts][0])
    mine = slave[way.gateway[slave] == host]
    told = way.host_report(mine, np.full(len(mine), since), 0)
    assert np.all(told >= until)


def test_slaves_are_without_power_when_their_feeder_is_cut(way: Way) -> None:
    slave = np.flatnonzero(way.link == RS485)
    area = way.area
    feeders = way.around.feeders
    hit = np.isin(area.device, slave) & (area.cause == CUT)
    starts = set(area.start[hit].tolist())
    assert starts >= {
        s
        for f, s in zip(feeders.entity.tolist(), feeders.start.tolist(), strict=True)
        if f in way.around.feeder[slave]
    }


def test_a_mains_device_without_power_sends_nothing(way: Way) -> None:
    mains = np.flatnonzero(way.mains & (way.around.backup == 0.0))
    feeders = way.around.feeders
    feeder = int(feeders.entity[np.isin(feeders.entity, way.around.feeder[mains])][0])
    start, end = feeders.of(feeder)
    hit = mains[way.around.feeder[mains] == feeder]
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
