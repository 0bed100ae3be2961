"""The vendor's rules against a naive walk over every heartbeat."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from twin.streams import Streams
from twin.vendor.platform import (
    last_counted_heartbeat,
    last_heartbeat_before,
    lost_heartbeat_flags,
    merge_intervals,
    next_heartbeat,
    next_pull,
    offline_flag_time,
    online_flag_time,
    platform_time,
    through_outages,
)
from twin.vendor.settings import VendorSettings

Floats = NDArray[np.float64]

# Whole numbers keep the naive walk free of rounding; heartbeats lie at phase + k * interval.
intervals = st.integers(1, 12)
gaps = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=4)


def outages(gaps: list[tuple[int, int]]) -> tuple[Floats, Floats]:
    start, end, now = [], [], 0
    for up, down in gaps:
        start.append(now + up + 0.5)
        now += up + down
        end.append(now + 0.5)
    return np.array(start, dtype=np.float64), np.array(end, dtype=np.float64)


def is_down(t: float, start: Floats, end: Floats) -> bool:
    return bool(np.any((start <= t) & (t < end)))


@given(st.integers(-50, 200), st.integers(0, 11), intervals)
def test_last_and_next_heartbeat(t: int, phase: int, interval: int) -> None:
    beats = [phase + k * interval for k in range(-300, 300)]
    assert last_heartbeat_before(t, phase, interval) == max(b for b in beats if b <= t)
    assert next_heartbeat(t, phase, interval) == min(b for b in beats if b >= t)


@given(st.integers(0, 150), st.integers(0, 11), intervals, st.integers(1, 4), gaps)
def test_offline_flag_counts_only_heartbeats_while_the_vendor_is_up(
    cut_off: int, phase: int, interval: int, missed: int, gaps: list[tuple[int, int]]
) -> None:
    start, end = outages(gaps)
    beat = last_heartbeat_before(cut_off, phase, interval).item()
    count = 0
    while count < missed:
        beat += interval
        count += not is_down(beat, start, end)
    flag = offline_flag_time([cut_off], phase, interval, missed, 0.0, start, end)
    assert flag.tolist() == [beat]


@given(st.integers(0, 150), st.integers(0, 11), intervals, gaps, st.booleans())
def test_online_flag_is_the_first_report_that_the_vendor_hears(
    restored: int, phase: int, interval: int, gaps: list[tuple[int, int]], registers: bool
) -> None:
    start, end = outages(gaps)
    heard = float(restored + 1 if registers else next_heartbeat(restored, phase, interval))
    if is_down(heard, start, end):
        heard = next_heartbeat(heard, phase, interval).item()
        while is_down(heard, start, end):
            heard += interval
    got = online_flag_time([restored], phase, interval, [registers], 1.0, start, end)
    assert got.tolist() == [heard]


def test_a_fleet_is_not_flagged_because_its_vendor_was_down() -> None:
    # The vendor is down for a week; devices with daily heartbeats are cut off for an hour in it.
    day = 86400.0
    phase = np.linspace(0, day, 500, endpoint=False)
    start, end = np.array([10 * day]), np.array([17 * day])
    cut = np.full(500, 12.3 * day)
    flag = offline_flag_time(cut, phase, day, 2, 600.0, start, end)
    online = online_flag_time(cut + 3600.0, phase, day, outage_start=start, outage_end=end)
    assert np.all(flag > online)
    assert np.all((online >= end) & (online < end + day))


def test_a_flag_that_falls_due_while_the_vendor_is_down_waits_for_its_return() -> None:
    start, end = np.array([105.0]), np.array([150.0])
    assert offline_flag_time([85.0], 0.0, 10.0, 2, 7.0, start, end).tolist() == [150.0]


def test_never_stays_never() -> None:
    start, end = np.array([5.0]), np.array([6.0])
    assert offline_flag_time([math.inf], 0.0, 10.0, 2, 1.0, start, end).tolist() == [math.inf]
    assert online_flag_time([math.inf], 0.0, 10.0).tolist() == [math.inf]
    pull = next_pull([math.inf], 0.0, 3600.0)
    assert platform_time([math.inf], 1.0, [True], pull).tolist() == [math.inf]


def brute_force(
    loss: float, n: int, beats: int, missed: int, rng: np.random.Generator
) -> tuple[list[int], list[int], list[int]]:
    """Device, flag and unflag (as heartbeat numbers) by a walk over every heartbeat."""
    lost = rng.random((beats, n)) < loss
    run = np.zeros(n, dtype=int)
    began: dict[int, int] = {}
    rows = []
    for k in range(beats):
        run = np.where(lost[k], run + 1, 0)
        for device in [d for d in began if not lost[k, d]]:
            rows.append((device, began.pop(device), k))
        for device in np.flatnonzero(run == missed).tolist():
            began[device] = k
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


@pytest.mark.parametrize(("loss", "missed"), [(0.05, 1), (0.2, 2), (0.1, 2), (0.4, 3)])
def test_false_flags_agree_with_every_single_heartbeat(loss: float, missed: int) -> None:
    n, beats = 8000, 150
    naive, flag_k, unflag_k = brute_force(loss, n, beats, missed, np.random.default_rng(1))
    phase = np.full(n, 0.5)
    device, flag, unflag = lost_heartbeat_flags(loss, phase, 1.0, missed, beats, Streams(3))
    inside = unflag < beats
    device, flag, unflag = device[inside], flag[inside], unflag[inside]
    per_device = np.bincount(device, minlength=n)
    per_naive = np.bincount(naive, minlength=n)
    error = 4.5 * math.sqrt(2.0 / n)
    assert per_device.mean() == pytest.approx(per_naive.mean(), abs=error * per_naive.std())
    assert per_device.std() == pytest.approx(per_naive.std(), rel=0.05)
    lengths, naive_lengths = unflag - flag, np.subtract(unflag_k, flag_k)
    assert lengths.mean() == pytest.approx(naive_lengths.mean(), rel=0.05)
    # The first half of the period has its share of the flags: they are spread as they should be.
    half = np.mean(flag < beats / 2), np.mean(np.array(flag_k) < beats / 2)
    assert half[0] == pytest.approx(half[1], abs=0.03)
    # After a flag's end a new run begins.
    same = device[1:] == device[:-1]
    assert np.all(flag[1:][same] - unflag[:-1][same] >= missed)
    assert np.all(unflag > flag)


@pytest.mark.parametrize(("loss", "missed"), [(0.02, 2), (0.3, 2), (0.3, 3), (0.45, 1)])
def test_first_false_flag_has_the_exact_distribution(loss: float, missed: int) -> None:
    # Exact: the first run of m ends at n with f(m) = p^m, f(n) = q p^m (1 - F(n - m - 1)).
    n, beats = 100_000, 400
    exact = np.zeros(beats + 1)
    for k in range(missed, beats + 1):
        none_before = 1.0 - exact[k - missed - 1] if k > missed else 1.0
        chance = loss**missed * (1.0 if k == missed else (1.0 - loss) * none_before)
        exact[k] = exact[k - 1] + chance
    device, flag, _ = lost_heartbeat_flags(loss, np.zeros(n), 1.0, missed, beats, Streams(5))
    _, where = np.unique(device, return_index=True)
    number = flag[where].astype(int) + 1
    share = np.cumsum(np.bincount(number, minlength=beats + 1)) / n
    assert np.abs(share - exact).max() < 0.002 + 2.0 / math.sqrt(n)


def test_false_flags_at_the_usual_loss_are_as_rare_as_they_should_be() -> None:
    # Two in a row at a loss of 0.5 %, hourly for a year: (1 - p) p^2 per heartbeat.
    n, beats = 20_000, 8760
    device, _, _ = lost_heartbeat_flags(0.005, np.zeros(n), 1.0, 2, beats, Streams(8))
    expected = n * beats * 0.995 * 0.005**2
    assert device.size == pytest.approx(expected, abs=4 * math.sqrt(expected))


def test_more_loss_more_flags_with_the_same_luck() -> None:
    phase = np.linspace(0, 1, 3000, endpoint=False)
    low, flag_low, _ = lost_heartbeat_flags(0.02, phase, 1.0, 2, 3000.0, Streams(4))
    high, flag_high, _ = lost_heartbeat_flags(0.04, phase, 1.0, 2, 3000.0, Streams(4))
    first_low = dict(zip(low[::-1].tolist(), flag_low[::-1].tolist(), strict=True))
    first_high = dict(zip(high[::-1].tolist(), flag_high[::-1].tolist(), strict=True))
    assert all(first_high[device] <= t for device, t in first_low.items())
    more, flag_more, _ = lost_heartbeat_flags(
        0.02, np.append(phase, 0.0), 1.0, 2, 3000.0, Streams(4)
    )
    assert np.array_equal(flag_more[more < 3000], flag_low)


def test_false_flags_do_not_count_heartbeats_of_an_outage() -> None:
    n, start, end = 3000, np.array([300.2]), np.array([500.2])
    phase = np.linspace(0, 1, n, endpoint=False)
    device, flag, unflag = lost_heartbeat_flags(
        0.2, phase, 1.0, 2, 1000.0, Streams(2), outage_start=start, outage_end=end
    )
    shorter = lost_heartbeat_flags(0.2, phase, 1.0, 2, 800.0, Streams(2))
    assert np.array_equal(device, shorter[0])
    assert not np.any((flag > 300.2) & (flag < 500.2))
    assert not np.any((unflag > 300.2) & (unflag < 500.2))
    before = flag < 300.2
    assert np.allclose(flag[before], shorter[1][before])
    assert np.allclose(flag[~before], shorter[1][~before] + 200.0)


def test_no_loss_no_false_flag() -> None:
    device, flag, unflag = lost_heartbeat_flags(0.0, np.zeros(5), 1.0, 2, 1e6, Streams(1))
    assert device.size == flag.size == unflag.size == 0
    with pytest.raises(ValueError, match=r"below 0\.5"):
        lost_heartbeat_flags(0.5, np.zeros(5), 1.0, 2, 1e6, Streams(1))


def test_platform_learns_by_push_or_by_the_next_pull() -> None:
    hour = 3600.0
    known = [10.0, 10.0, 3599.5, hour]
    learned = platform_time(known, 1.0, [False, True, False, True], next_pull(known, 0.0, hour))
    assert learned.tolist() == [11.0, hour, hour, hour]


@given(st.lists(st.integers(0, 150), max_size=20), st.integers(0, 11), intervals, gaps)
def test_a_vendor_that_is_down_answers_no_pull(
    times: list[int], phase: int, period: int, gaps: list[tuple[int, int]]
) -> None:
    start, end = outages(gaps)
    expected = []
    for t in times:
        pull = next_heartbeat(t, phase, period).item()
        while is_down(pull, start, end):
            pull += period
        expected.append(pull)
    assert next_pull(times, phase, period, start, end).tolist() == expected


@given(st.integers(0, 150), st.integers(0, 11), intervals, gaps)
def test_heartbeats_count_while_the_vendor_is_up(
    t: int, phase: int, interval: int, gaps: list[tuple[int, int]]
) -> None:
    start, end = outages(gaps)
    beat = last_heartbeat_before(t, phase, interval).item()
    while is_down(beat, start, end):
        beat -= interval
    assert last_counted_heartbeat(t, phase, interval, start, end) == beat


@given(st.lists(st.integers(0, 150), max_size=20), gaps)
def test_a_vendor_hands_on_when_it_is_back(times: list[int], gaps: list[tuple[int, int]]) -> None:
    start, end = outages(gaps)
    expected = [
        next((float(e) for s, e in zip(start, end, strict=True) if s <= t < e), float(t))
        for t in times
    ]
    assert through_outages(times, start, end).tolist() == expected


def test_an_outage_includes_its_beginning_and_not_its_end() -> None:
    start, end = np.array([5.0, 9.0]), np.array([6.0, 12.0])
    assert through_outages([4.9, 5.0, 6.0, 9.0], start, end).tolist() == [4.9, 6.0, 6.0, 12.0]


bounds = st.one_of(st.integers(0, 40), st.just(math.inf))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 40), bounds), max_size=40))
def test_merge_intervals_is_the_union(rows: list[tuple[int, int, float]]) -> None:
    rows = [(device, min(a, b), max(a, b)) for device, a, b in rows]  # type: ignore[misc]
    device = np.array([row[0] for row in rows], dtype=np.int32)
    start = np.array([row[1] for row in rows], dtype=np.float64)
    end = np.array([row[2] for row in rows], dtype=np.float64)
    merged: list[list[float]] = []
    for row in sorted(rows):
        if merged and merged[-1][0] == row[0] and row[1] <= merged[-1][2]:
            merged[-1][2] = max(merged[-1][2], row[2])
        else:
            merged.append(list(row))
    got = merge_intervals(device, start, end)
    assert [list(row) for row in zip(*(column.tolist() for column in got), strict=True)] == merged


def test_an_interval_that_ends_before_it_starts() -> None:
    with pytest.raises(ValueError, match="ends before it starts"):
        merge_intervals(np.array([1]), np.array([2.0]), np.array([1.0]))


def test_settings_of_a_vendor() -> None:
    settings = VendorSettings.model_validate(
        {"heartbeat": "1 h", "heartbeat_of": {"hydrant_sensor": "30 min"}}
    )
    assert settings.heartbeat_s("smoke_alarm") == 3600.0
    assert settings.heartbeat_s("hydrant_sensor") == 1800.0
    assert VendorSettings().heartbeat_s("smoke_alarm") == 86400.0


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"pull_period": "30 min"}, "from 1 h to 1 d"),
        ({"grace": "2 h", "heartbeat": "1 h"}, "grace of 7200 s is not shorter"),
        ({"missed_heartbeats": 0}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        VendorSettings.model_validate(table)
