"""The luck of the responses: uniform, independent, and keyed by the signal alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from devices import FIRE_CAUSES
from twin.center.luck import FIELDS, PEOPLE, LuckOfSignals, spread
from twin.scenario import load_scenario
from twin.terms import Kind
from twin.world import center_year, simulate
from twin.world.happenings import sample_happenings as sample


def test_every_column_is_uniform_and_none_follows_another() -> None:
    keys = np.random.default_rng(1).random(20_000)
    drawn = np.column_stack([keys, spread(keys, 40)])
    for column in drawn.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-4
    together = np.asarray(np.corrcoef(drawn.T))[np.triu_indices(41, 1)]
    assert np.abs(together).max() < 5 / np.sqrt(len(keys))


def test_keys_that_are_neighbours_share_nothing() -> None:
    """The least step between two keys changes half of all bits, so the draws are unrelated."""
    keys = np.arange(5000, dtype=np.float64) * 2.0**-53
    drawn = spread(keys, 3)
    assert len(np.unique(drawn)) == drawn.size
    assert abs(np.corrcoef(drawn[:-1, 0], drawn[1:, 0])[0, 1]) < 0.08
    assert stats.kstest(drawn[:, 0], "uniform").pvalue > 1e-4


def test_normals_are_standard_and_luck_belongs_to_the_message() -> None:
    keys = np.random.default_rng(2).random(5000)
    luck = LuckOfSignals(keys)
    normal = np.array([luck.of(k).normal for k in range(1, 5001)])
    for column in normal.T:
        assert stats.kstest(column, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(normal.T)[0, 1]) < 0.08
    # the same key as another message: the same luck, by every name and person
    again = LuckOfSignals(keys[::-1])
    one, other = luck.of(1), again.of(5000)
    assert [one.uniform(f) for f in FIELDS] == [other.uniform(f) for f in FIELDS]
    assert [one.person(k) for k in range(PEOPLE)] == [other.person(k) for k in range(PEOPLE)]
    assert one.normal == other.normal
    assert luck.of(2).uniform("clear") != one.uniform("clear")


def keys_of_fires(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> tuple[dict[Any, float], int]:
    """The key of the luck of every alarm of a fire, by device and time; the number of signals."""
    sampled: list[Any] = []

    def watched(*arguments: Any) -> Any:
        sampled.append(sample(*arguments))
        return sampled[-1]

    kinds = ("nine_small", "combined_use", "group_rental", "older_person_home", "enterprise",
             "local_alarm_unit")  # fmt: skip
    busy = {
        "venues.points": 400,
        "duration": "20 d",
        "venues.fires": dict.fromkeys(kinds, "5 /year"),
    }
    with monkeypatch.context() as patch:
        patch.setattr(center_year, "sample_happenings", watched)
        simulate(load_scenario("township").changed(**{**busy, **changes}))
    signals = sampled[0].signals
    of_fire = np.flatnonzero(np.isin(np.array(signals.causes)[signals.cause], FIRE_CAUSES))
    keys = {
        (int(signals.device[s]), float(signals.signalled[s])): float(signals.response[s])
        for s in of_fire
    }
    return keys, len(signals.device)


def test_more_nuisance_alarms_leave_a_fires_luck_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even those of the very detector that sees the fire."""
    few, signals = keys_of_fires(monkeypatch)
    many, more = keys_of_fires(monkeypatch, devices={"smoke_alarm": {"nuisance_factor": 500.0}})
    assert more > 3 * signals
    shared = few.keys() & many.keys()
    assert len(shared) > 20
    assert {at: few[at] for at in shared} == {at: many[at] for at in shared}
    assert len(set(few.values())) == len(few)


def complaints(changes: dict[str, Any]) -> set[tuple[str, int, str]]:
    """Venue, time and matter of every complaint."""
    short = {"venues.points": 400, "duration": "60 d"}
    found = simulate(load_scenario("township").changed(**{**short, **changes})).log.rows(
        Kind.COMPLAINT
    )
    return set(zip(found.subject.array(), found.time.tolist(), found.text.array(), strict=True))


def test_complaints_keep_to_their_venues() -> None:
    """At half the rate over twice the time every venue has the same ones, twice as far apart."""
    some = complaints({"centers.center.complaints": 1000.0})
    half = complaints({"centers.center.complaints": 500.0, "duration": "120 d"})
    assert 2 < len(some) < 20  # 1000 a year on 20,000 points: 3.3 in 60 days on 400
    assert len(half) == len(some)
    start = 1_767_196_800_000_000  # 2026-01-01 00:00 in Shanghai
    times = {(venue, matter, time - start) for venue, time, matter in half}
    for venue, time, matter in some:
        late = 2 * (time - start)
        assert any((venue, matter, late + k) in times for k in (-2, -1, 0, 1, 2))
