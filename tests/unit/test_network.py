"""Telegrams, uplinks and outages against closed forms; the settings' messages."""

import numpy as np
import pytest
from pydantic import ValidationError

from twin.network.nbiot import arrival_delay_s, latency_s, telegram_fate
from twin.network.outages import sample_outages
from twin.network.settings import NbiotSettings, NetworkSettings, UplinkSettings
from twin.network.uplink import uplink_fate
from twin.streams import Streams

YEAR = 365.0 * 86400.0


@pytest.mark.parametrize(("level", "mean"), [(0, 0.51), (1, 2.47), (2, 7.59)])
def test_latency_has_the_published_means_and_tail(level: int, mean: float) -> None:
    normals = np.random.default_rng(1).standard_normal(400_000)
    seconds = latency_s(np.full(normals.size, level), normals)
    assert seconds.mean() == pytest.approx(mean, rel=0.04)
    assert seconds.min() > 0.0
    assert seconds.max() <= 100.0
    assert level < 2 or seconds.max() == 100.0


def test_latency_spreads_as_set() -> None:
    settings = NbiotSettings.model_validate({"latency": {"cv": 0.5, "most": "1000 s"}})
    normals = np.random.default_rng(1).standard_normal(400_000)
    seconds = latency_s(np.zeros(normals.size, dtype=np.int8), normals, settings)
    assert seconds.std() / seconds.mean() == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_telegram_is_lost_when_every_attempt_is(attempts: int) -> None:
    settings = NbiotSettings.model_validate({"delivery": {"ecl0": "90 %", "ecl2": "60 %"}})
    uniforms = np.random.default_rng(2).random((300_000, attempts))
    for level, ratio in ((0, 0.9), (2, 0.6)):
        delivered, tries = telegram_fate(np.full(300_000, level), uniforms, settings)
        lost = (1 - ratio) ** attempts
        assert delivered.mean() == pytest.approx(1 - lost, abs=0.004)
        assert tries.mean() == pytest.approx((1 - lost) / ratio, rel=0.01)
        assert set(np.unique(tries)) <= set(range(1, attempts + 1))


def test_first_attempt_that_arrives_counts() -> None:
    uniforms = np.array([[0.1, 0.1, 0.1], [0.99, 0.2, 0.99], [0.99, 0.99, 0.99]])
    delivered, tries = telegram_fate(np.array([2, 2, 2]), uniforms)
    assert delivered.tolist() == [True, True, False]
    assert tries.tolist() == [1, 2, 3]
    waits = arrival_delay_s(np.array([0, 0, 0]), np.zeros(3), tries)
    assert np.diff(waits) == pytest.approx([5.0, 5.0])


def test_uplink_waits_ten_seconds_for_each_lost_frame() -> None:
    uniforms = np.array([[0.1, 0.1, 0.1], [0.999, 0.2, 0.1], [0.999, 0.999, 0.999]])
    delivered, delay = uplink_fate(np.zeros(3), uniforms)
    assert delivered.tolist() == [True, True, False]
    assert delay[1] - delay[0] == pytest.approx(10.0)
    assert delay[2] == 30.0


def test_uplink_latency_mean() -> None:
    rng = np.random.default_rng(3)
    settings = UplinkSettings.model_validate({"delivery": "100 %"})
    _, delay = uplink_fate(rng.standard_normal(200_000), rng.random((200_000, 3)), settings)
    assert delay.mean() == pytest.approx(1.0, rel=0.02)


def test_outages_have_the_rate_and_the_unavailability_of_an_alternating_renewal_process() -> None:
    n, rate, mean = 4000, 6.0 / YEAR, 86400.0
    entity, start, end = sample_outages("cell", n, rate, mean, Streams(1), YEAR)
    down = (np.minimum(end, YEAR) - start).sum() / (n * YEAR)
    both = rate + 1 / mean
    # Up at 0: the mean of rate / both * (1 - exp(-both t)) over the period.
    expected = rate / both * (1 - (1 - np.exp(-both * YEAR)) / (both * YEAR))
    assert down == pytest.approx(expected, rel=0.03)
    assert (end - start).mean() == pytest.approx(mean, rel=0.03)
    assert entity.size == pytest.approx(n * rate * YEAR * (1 - expected), rel=0.03)
    same = entity[1:] == entity[:-1]
    assert np.all(np.diff(entity) >= 0)
    assert np.all(start[1:][same] > end[:-1][same])
    assert np.all((start >= 0) & (start < YEAR) & (end > start))


def test_a_higher_rate_compresses_the_same_luck() -> None:
    def first(rate: float, n: int = 50) -> dict[int, float]:
        entity, start, _ = sample_outages("cell", n, rate, 3600.0, Streams(7), 1e9)
        found, where = np.unique(entity, return_index=True)
        return dict(zip(found.tolist(), start[where].tolist(), strict=True))

    slow, fast, more = first(1e-7), first(1e-6), first(1e-7, 60)
    assert len(slow) == 50
    assert [fast[i] * 10 for i in slow] == pytest.approx(list(slow.values()))
    assert [more[i] for i in slow] == list(slow.values())


def test_no_rate_no_outage() -> None:
    entity, start, end = sample_outages("cell", 3, 0.0, 3600.0, Streams(1), YEAR)
    assert entity.size == start.size == end.size == 0
    entity, _, _ = sample_outages("cell", 3, [0.0, 1e-4, 0.0], 3600.0, Streams(1), YEAR)
    assert set(entity.tolist()) == {1}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"nbiot": {"coverage": {"ecl0": "90 %"}}}, "add up to 105 %"),
        ({"nbiot": {"delivery": {"ecl2": "40 %"}}}, "a share from 51 %"),
        ({"uplink": {"timeout": "0 s"}}, "a time from 1 ms"),
        ({"rs485": {"tries": 0}}, "greater than or equal to 1"),
        ({"nbiot": {"cell": 3}}, "Extra inputs"),
    ],
)
def test_a_wrong_setting_is_named(table: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NetworkSettings.model_validate(table)
