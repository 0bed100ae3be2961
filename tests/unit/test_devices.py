"""Device populations: rates, hours, clustering, batteries, and luck that is shared."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices import (
    EQUIPMENT,
    FIRE_CAUSES,
    KINDS,
    NUISANCE_CAUSES,
    REAL_CAUSES,
    TEST,
    Happening,
    Occurrences,
    Period,
    Population,
    battery_life_s,
    detection_delay_s,
    maintained_population,
    sample,
    sample_fires,
    site_frailty,
    tunables,
    with_overrides,
)
from devices.rhythm import FALSE_ALARM_HOURS, FIRE_HOURS, WAKING_HOURS, clock, unclock
from twin.streams import Streams
from twin.terms import Category

DAY_S = 86400.0
YEAR_S = 365.25 * DAY_S
YEAR = Period(365 * DAY_S)


def population(kind: str = "smoke_alarm", n: int = 5000, sites: int = 0) -> Population:
    """Clean new devices at level 0, ``n / sites`` at each of the sites (none: all average)."""
    site = (np.arange(n) % max(sites, 1)).astype(np.int32)
    frailty = site_frailty(sites, Streams(5))[site] if sites else np.ones(n)
    return Population(
        kind=KINDS[kind],
        site=site,
        age_s=np.zeros(n),
        report_interval_s=DAY_S,
        coverage=np.zeros(n, np.int8),
        battery_used=np.zeros(n),
        frailty=frailty,
        contamination=np.zeros(n),
    )


def overridden(base: Population, **numbers: float) -> Population:
    name = base.kind.name
    return dataclasses.replace(base, kind=with_overrides({name: base.kind}, {name: numbers})[name])


def of(happened: list[Occurrences], what: Happening, cause: str = "") -> list[Occurrences]:
    return [o for o in happened if o.what == what and (not cause or o.cause == cause)]


def one(happened: list[Occurrences], what: Happening, cause: str = "") -> Occurrences:
    (found,) = of(happened, what, cause)
    return found


def keyed(o: Occurrences) -> dict[tuple[int, int], float]:
    keys = zip(o.device.tolist(), o.round.tolist(), strict=True)
    return dict(zip(keys, o.time.tolist(), strict=True))


# -- kinds ----------------------------------------------------------------------------------------


def test_categories_are_those_of_the_log() -> None:
    assert {kind.category for kind in KINDS.values()} == {c.value for c in Category}


def test_only_gateways_are_no_points_and_batteries_belong_to_battery_kinds() -> None:
    for kind in KINDS.values():
        assert kind.is_point == (kind.category != "gateway")
        assert (kind.battery_capacity_J is not None) == (kind.power == "battery")
        assert np.isfinite(battery_life_s(kind, DAY_S, 0)) == (kind.power == "battery")


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_happens_only_within_the_period_and_its_population(name: str) -> None:
    base = population(name, 400)
    happened = sample(base, Streams(2), YEAR)
    assert happened
    known = REAL_CAUSES | NUISANCE_CAUSES | {EQUIPMENT, TEST}
    for o in happened:
        assert o.device.size == o.round.size == o.time.size > 0
        assert o.device.min() >= 0
        assert o.device.max() < base.size
        slack = 60.0 if o.what == Happening.ACTUATION else 0.0
        assert o.time.min() >= 0
        assert o.time.max() < YEAR.seconds + slack
        assert o.until is None or np.all(o.until >= o.time)
        if o.what == Happening.ALARM:
            assert o.cause in known
            assert KINDS[name].alarms


def test_devices_does_not_import_twin() -> None:
    code = "import sys, devices; sys.exit(any(m.split('.')[0] == 'twin' for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- rhythm ---------------------------------------------------------------------------------------


@given(st.floats(0, 3650, allow_nan=False))
@settings(max_examples=50)
def test_clock_and_its_inverse(days: float) -> None:
    time = clock(np.array([days]), FALSE_ALARM_HOURS)[0]
    assert unclock(float(time), FALSE_ALARM_HOURS) == pytest.approx(days, abs=1e-9)


def test_clock_rises_and_keeps_midnights() -> None:
    days = np.linspace(0, 5, 10_001)
    for hours in (FALSE_ALARM_HOURS, FIRE_HOURS):
        assert np.all(np.diff(clock(days, hours)) > 0)
        np.testing.assert_allclose(clock(np.arange(6.0), hours), np.arange(6) * DAY_S)


def test_false_alarms_follow_londons_hours() -> None:
    base = overridden(population(n=20_000), nuisance_factor=40, contamination_gain=0)
    time = one(sample(base, Streams(3), YEAR), Happening.ALARM, "cooking").time
    hour = np.bincount((time / 3600 % 24).astype(int), minlength=24) / time.size
    # London Fire Brigade 2009-2023: quietest and busiest hours, and the night
    assert hour[10] == pytest.approx(0.0648, abs=0.002)
    assert hour[4] == pytest.approx(0.0170, abs=0.002)
    assert hour[:6].sum() == pytest.approx(0.125, abs=0.004)


def test_what_people_do_happens_while_they_are_awake() -> None:
    time = one(sample(population("hydrant_sensor"), Streams(3), YEAR), Happening.OPERATION).time
    hour = time / 3600 % 24
    assert hour.min() >= 7
    assert hour.max() <= 22
    assert WAKING_HOURS[7] == 0


# -- rates ----------------------------------------------------------------------------------------


def test_nuisance_rate_is_the_poisson_mean_and_independent_of_rounds() -> None:
    base = overridden(population(n=20_000), contamination_gain=0)
    alarms = of(sample(base, Streams(4), YEAR), Happening.ALARM)
    count = sum(o.device.size for o in alarms if o.cause != TEST)
    rates = dict(KINDS["smoke_alarm"].behaviours[0].rates)  # type: ignore[attr-defined]
    expected = 20_000 * sum(rates.values()) * 365 / 365.25
    assert count == pytest.approx(expected, abs=4 * expected**0.5)


def test_dirt_raises_the_nuisance_rate_up_to_its_gain() -> None:
    clean = overridden(population(n=20_000), nuisance_factor=20, soiling_years=1e9)
    dirty = dataclasses.replace(clean, contamination=np.full(clean.size, 0.999999))

    def count(p: Population) -> int:
        return one(sample(p, Streams(4), YEAR), Happening.ALARM, "cooking").time.size

    assert count(dirty) / count(clean) == pytest.approx(2.0, abs=0.08)
    # over-dirty is no worse than dirty
    worse = dataclasses.replace(clean, contamination=np.full(clean.size, 5.0))
    assert count(worse) == pytest.approx(count(dirty), rel=0.001)


def test_dirt_gathers_at_the_hazard_of_its_closed_form() -> None:
    # clean at the start, rate 1 + t/T until T = half the period (mean device), then 2
    base = overridden(population(n=30_000), nuisance_factor=20, soiling_years=0.5)
    o = one(sample(base, Streams(6), Period(YEAR_S)), Happening.ALARM, "cooking")
    normals = np.random.default_rng(0).standard_normal(200_000)
    turn = np.minimum(0.5 * np.exp(-0.5 * normals), 1.0)  # years until dirty, lognormal
    late = 2 * (1 - turn)
    growth = np.exp(0.5 * normals) / 0.5
    expected = 30_000 * 0.016 * 20 * np.mean(turn + growth * turn**2 / 2 + late)
    assert o.time.size == pytest.approx(expected, abs=4 * expected**0.5)
    assert o.value is not None
    assert o.value.min() >= 0
    assert o.value.max() == 1


def test_five_percent_of_sites_give_about_thirty_percent_of_false_alarms() -> None:
    base = overridden(population(n=12_000, sites=4000), nuisance_factor=200, contamination_gain=0)
    alarms = of(sample(base, Streams(7), YEAR), Happening.ALARM)
    false = [o for o in alarms if o.cause != TEST]
    count = sum(np.bincount(base.site[o.device], minlength=4000) for o in false)
    worst = np.sort(np.asarray(count))[-200:].sum() / np.sum(count)
    assert worst == pytest.approx(0.30, abs=0.025)  # Euralarm


def test_coverage_is_lost_more_often_at_worse_levels() -> None:
    base = population(n=20_000)
    worse = dataclasses.replace(base, coverage=np.full(base.size, 2, np.int8))
    few = one(sample(base, Streams(8), YEAR), Happening.CUT_OFF, "coverage")
    many = one(sample(worse, Streams(8), YEAR), Happening.CUT_OFF, "coverage")
    assert many.time.size / few.time.size == pytest.approx(4.0, abs=0.3)
    assert many.until is not None
    assert np.isinf(many.until).mean() == pytest.approx(0.2, abs=0.02)


def test_reported_share_of_faults() -> None:
    happened = sample(population(n=40_000), Streams(9), YEAR)
    told = one(happened, Happening.FAULT).time.size
    silent = one(happened, Happening.DEAD).time.size
    assert told / (told + silent) == pytest.approx(0.7, abs=0.04)


def test_every_gas_alarm_closes_the_valve_where_the_actuator_works() -> None:
    base = population("gas_detector", 4000)
    happened = sample(overridden(base, gas_valve_closed_share=1.0), Streams(3), YEAR)
    alarms = np.sort(np.concatenate([o.time for o in of(happened, Happening.ALARM)]))
    acts = np.sort(np.concatenate([o.time for o in of(happened, Happening.ACTUATION)]))
    np.testing.assert_allclose(acts, alarms + 5)
    happened = sample(overridden(base, gas_valve_closed_share=0.0), Streams(3), YEAR)
    assert not of(happened, Happening.ACTUATION)


def test_remote_trip_follows_short_circuits_only() -> None:
    base = overridden(population("electricity_monitor"), remote_trip_share=1.0)
    happened = sample(base, Streams(3), YEAR)
    short = one(happened, Happening.ALARM, "short_circuit")
    assert keyed(one(happened, Happening.ACTUATION)).keys() == keyed(short).keys()


def test_early_warnings_lie_above_their_setting() -> None:
    happened = sample(population("residual_current_detector"), Streams(3), YEAR)
    values = one(happened, Happening.EARLY_WARNING).value
    assert values is not None
    assert values.min() > 300
    assert values.mean() == pytest.approx(390, abs=15)


def test_self_tests_keep_their_interval() -> None:
    happened = sample(population("arcing_fault_detector", 50), Streams(3), YEAR)
    times = np.array(list(keyed(one(happened, Happening.OPERATION, "self_test")).values()))
    assert times.size == pytest.approx(50 * 365 / 30, abs=50)
    device = one(happened, Happening.OPERATION, "self_test").device
    np.testing.assert_allclose(np.diff(times[device == 7]), 30 * DAY_S)


def test_end_of_life_at_the_age_of_the_kind() -> None:
    base = dataclasses.replace(population(n=3), age_s=np.array([0.0, 11.5, 13.0]) * YEAR_S)
    o = one(sample(base, Streams(1), YEAR), Happening.END_OF_LIFE)
    np.testing.assert_array_equal(o.device, [1, 2])
    np.testing.assert_allclose(o.time, [0.5 * YEAR_S, 0])


# -- batteries ------------------------------------------------------------------------------------


def test_battery_lives_by_coverage_and_interval() -> None:
    smoke = KINDS["smoke_alarm"]
    daily = battery_life_s(smoke, DAY_S, np.arange(3)) / YEAR_S
    hourly = battery_life_s(smoke, 3600.0, np.arange(3)) / YEAR_S
    assert 3 < daily[0] < 10  # a vendor promises 3 years
    assert hourly[2] < 1.1
    assert np.all(hourly < daily)
    assert np.all(np.diff(daily) < 0)
    assert np.all(np.diff(hourly) < 0)


def test_low_battery_comes_a_reserve_before_the_end() -> None:
    base = overridden(population(n=10), spread=0.0)
    base = dataclasses.replace(base, battery_used=np.linspace(0.5, 1.0, 10))
    o = one(sample(base, Streams(1), Period(20 * YEAR_S)), Happening.BATTERY_LOW)
    left = (1 - base.battery_used) * battery_life_s(base.kind, DAY_S, 0)
    assert o.until is not None
    np.testing.assert_allclose(o.until, left)
    np.testing.assert_allclose(o.time, np.maximum(left - 30 * DAY_S, 0))


def test_a_maintained_population_starts_with_nothing_overdue() -> None:
    base = population(n=5000, sites=500)
    start = maintained_population(
        base.kind, base.site, site_frailty(500, Streams(1)), base.coverage, 3600.0, Streams(1)
    )
    start = overridden(start, spread=0.0)
    happened = sample(start, Streams(1), YEAR)
    whats = (Happening.BATTERY_LOW, Happening.CONTAMINATED, Happening.END_OF_LIFE)
    assert all(one(happened, what).time.min() > 0 for what in whats)


# -- streams --------------------------------------------------------------------------------------


def test_ten_times_the_nuisance_keeps_the_same_luck() -> None:
    base = overridden(population(n=3000), contamination_gain=0, nuisance_factor=20)
    few = sample(base, Streams(11), YEAR)
    many = sample(overridden(base, nuisance_factor=200), Streams(11), YEAR)
    assert one(few, Happening.ALARM, "cooking").round.max() > 1  # later rounds are compared, too
    for o in few:
        if o.what == Happening.ALARM and o.cause in NUISANCE_CAUSES:
            times, faster = keyed(o), keyed(one(many, o.what, o.cause))
            for key, time in times.items():
                shaped = unclock(time, FALSE_ALARM_HOURS) / 10
                assert faster[key] == pytest.approx(clock(np.array([shaped]), FALSE_ALARM_HOURS)[0])
        elif o.what != Happening.ALARM or o.cause == TEST:
            np.testing.assert_array_equal(o.time, one(many, o.what, o.cause).time)


def test_more_devices_at_the_end_leave_the_others_alone() -> None:
    small, large = population(n=2000), population(n=2600)
    for o, p in zip(
        sample(small, Streams(12), YEAR), sample(large, Streams(12), YEAR), strict=True
    ):
        if o.what == Happening.ACTUATION:
            continue
        first = {key: time for key, time in keyed(p).items() if key[0] < 2000}
        assert keyed(o) == first


def test_a_change_of_one_rate_moves_nothing_else() -> None:
    base = population(n=3000)
    before = sample(base, Streams(13), YEAR)
    after = sample(overridden(base, fault_per_year=0.2, radio_per_year=0.1), Streams(13), YEAR)
    for o in before:
        if o.what not in (Happening.FAULT, Happening.DEAD) and o.cause != "radio":
            np.testing.assert_array_equal(o.time, one(after, o.what, o.cause).time)


def test_seeds_differ_and_repeat() -> None:
    base = population(n=2000)
    first, again, other = (
        one(sample(base, Streams(seed), YEAR), Happening.CUT_OFF, "coverage").time
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.isin(first, other).any()


def test_kinds_have_streams_of_their_own() -> None:
    smoke, heat = (
        one(sample(population(name), Streams(1), YEAR), Happening.CUT_OFF, "coverage").time
        for name in ("smoke_alarm", "heat_alarm")
    )
    assert not np.isin(smoke, heat).any()


# -- overrides ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"smoke": {}}, ["smoke", "smoke_alarm", "electrical_fire_host"]),
        ({"smoke_alarm": {"falut_per_year": 1}}, ["falut_per_year", "fault_per_year"]),
        ({"smoke_alarm": {"fault_per_year": 1.0}}, ["fault_per_year", "0.999"]),
        ({"smoke_alarm": {"nuisance_factor": -1}}, ["nuisance_factor", "-1"]),
        ({"smoke_alarm": {"nuisance_factor": float("nan")}}, ["nuisance_factor", "nan"]),
        ({"gas_detector": {"battery_capacity_J": 1.0}}, ["battery_capacity_J"]),
        ({"smoke_alarm": {"soiling_years": 0}}, ["soiling_years", "above 0"]),
    ],
)
def test_bad_overrides_are_named(overrides: dict[str, dict[str, float]], words: list[str]) -> None:
    with pytest.raises(ValueError, match="devices") as error:
        with_overrides(KINDS, overrides)
    assert all(word in str(error.value) for word in words)


@pytest.mark.parametrize("name", KINDS)
def test_every_tunable_can_be_overridden_and_has_a_source(name: str) -> None:
    known = tunables(KINDS[name])
    halves = {key: value.value / 2 for key, value in known.items()}
    changed = tunables(with_overrides(KINDS, {name: halves})[name])
    assert {key: value.value for key, value in changed.items()} == halves
    assert all(value.source and value.vary and value.what for value in known.values())


# -- fires ----------------------------------------------------------------------------------------


def test_fires_have_their_rate_hours_and_causes() -> None:
    fires = sample_fires(np.full(20_000, 5.0), Streams(1), Period(YEAR_S))
    n = fires.time.size
    assert n == pytest.approx(100_000, abs=1300)
    hour = np.bincount((fires.time / 3600 % 24).astype(int), minlength=24) / n
    assert hour[10:20].sum() == pytest.approx(0.535, abs=0.006)  # London, 10-20 h
    assert hour[19] == pytest.approx(0.0756, abs=0.003)
    share = np.bincount(fires.cause, minlength=len(FIRE_CAUSES)) / n
    assert share[FIRE_CAUSES.index("electrical")] == pytest.approx(0.323, abs=0.006)
    assert share[FIRE_CAUSES.index("domestic_fire_use")] == pytest.approx(0.218, abs=0.006)
    assert share.sum() == pytest.approx(1)


def test_a_site_without_fires_has_none() -> None:
    fires = sample_fires(np.array([0.0, 50.0]), Streams(1), YEAR)
    assert set(fires.site.tolist()) == {1}


def test_one_draw_decides_whether_and_when_a_fire_is_seen() -> None:
    luck = np.random.default_rng(1).random(100_000)
    cause = FIRE_CAUSES.index("electrical")
    probability, mean = KINDS["smoke_alarm"].detects["electrical"]
    delay = detection_delay_s(KINDS["smoke_alarm"], cause, luck)
    seen = np.isfinite(delay)
    assert seen.mean() == pytest.approx(probability, abs=0.006)
    assert delay[seen].mean() == pytest.approx(mean, rel=0.02)
    assert np.median(delay[seen]) == pytest.approx(mean * np.log(2), rel=0.02)
    many = np.full(luck.size, cause, np.int8)
    np.testing.assert_array_equal(detection_delay_s(KINDS["smoke_alarm"], many, luck), delay)
    assert np.isinf(detection_delay_s(KINDS["gas_detector"], cause, luck)).all()
