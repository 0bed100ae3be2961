"""A real alarm receiver's load, replayed: at its own pace, and a hundred times as fast.

The record's pass rule: a device repeats every 20 s until it succeeds; the mean answer takes at
most 10 s, the slowest at most 30 s. Ours is stricter where it counts: no message lost, none twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from siege_support import Siege, seed

from twin.load.driver import drive
from twin.load.traffic import Mix, encode, events, steady, trace

TRACES = Path(__file__).parents[2] / "../shared/traces"
DAY = TRACES / "alarm-receiver-2020-12-28.csv.gz"
NOON = 12 * 3600.0

MEAN_S, SLOWEST_S = 10.0, 30.0
"""The record's pass rule."""

needs_traces = pytest.mark.skipif(
    not DAY.exists(),
    reason="no recorded day; put the project's shared folder beside the checkout",
)


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Siege]:
    siege = Siege(tmp_path_factory.mktemp("replay") / "core", seed())
    try:
        yield siege
    finally:
        siege.core.stop()


@needs_traces
@pytest.mark.parametrize(
    ("speed", "seconds"), [(1.0, 5.0), (100.0, 400.0)], ids=["real time", "100 x"]
)
def test_recorded_day_arrives_whole(siege: Siege, speed: float, seconds: float) -> None:
    piece = trace(DAY, NOON, seconds, speed, siege.seed)
    # Fires where the record has alarms: the others are states and faults.
    plain = iter(events(len(piece.due), siege.fleet.devices, 1, Mix(fire=0.0), prefix=f"p{speed}"))
    fires = iter(events(len(piece.due), siege.fleet.devices, 2, Mix(fire=1.0), prefix=f"f{speed}"))
    line = [next(fires if fire else plain) for fire in piece.fire.tolist()]
    load = drive(siege.core.target(siege.vendor), [encode(event) for event in line], 64, piece.due)
    siege.account.settle([[event] for event in line], load)
    assert set(siege.account.answers) == {200}
    aftermath = siege.check(whole=True)
    findings = siege.account.findings()
    assert findings.present == len(siege.account.events) == findings.acknowledged
    took = load.answered - load.due
    assert took.mean() <= MEAN_S
    assert took.max() <= SLOWEST_S
    print(
        f"\n{speed:g} x for {seconds / speed:g} s: {len(line)} messages, "
        f"{int(piece.fire.sum())} of them alarms; p99 {load.latency().p99 * 1e3:.1f} ms; "
        f"{aftermath.alarms} alarms"
    )


@needs_traces
def test_trace_has_the_day_of_the_record() -> None:
    day = trace(DAY, 0.0, 86400.0, 1.0, 1)
    # The record's own README: mean 6.6 to 8.3 messages/s, about 21,000 alarm messages a day.
    assert 6.6 <= len(day.due) / 86400.0 <= 8.3
    assert 15_000 <= day.fire.sum() <= 27_000
    assert (np.diff(day.due) >= 0).all()
    assert 40 <= np.bincount(day.due.astype(int)).max() <= 70


def test_steady_arrivals_are_poisson() -> None:
    due = steady(500.0, 200.0, 3)
    assert len(due) == 100_000
    gaps = np.diff(due)
    # Exponential gaps: the standard deviation is the mean; a tenth-second's count has its mean
    # as its variance.
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.02)
    counts = np.bincount((due * 10).astype(int), minlength=2000)
    assert counts.var() == pytest.approx(counts.mean(), rel=0.1)
