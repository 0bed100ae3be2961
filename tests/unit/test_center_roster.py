"""The roster: who is on duty at every minute, and what an absence changes."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from twin.center.roster import Stint, plan
from twin.center.settings import DEFAULT_TEAMS, SHIFT_HOURS, RosterSettings
from twin.streams import Streams
from twin.terms import Role

DAY = 86400.0
WEEK = 7 * DAY
PATTERNS = sorted(SHIFT_HOURS)


def roster(**changes: Any) -> RosterSettings:
    return RosterSettings.model_validate(
        {"absence": "0 %", "duty": 12, "maintenance": 0, **changes}
    )


def stints_of(settings: RosterSettings, seconds: float, seed: int = 1) -> list[Stint]:
    return plan(settings, Streams(seed), seconds)[0]


def least_on_duty(stints: list[Stint], seconds: float) -> int:
    """The least number of duty people on duty at any time of the period."""
    changes: dict[float, int] = defaultdict(int)
    for stint in stints:
        if stint.role is Role.DUTY:
            changes[stint.start] += 1
            changes[stint.end] -= 1
    number, least = 0, 10**9
    for time in sorted(changes):
        if time >= seconds:
            break
        number += changes[time]
        least = min(least, number)
    return least if 0.0 in changes else 0


@pytest.mark.parametrize(
    ("pattern", "hours"),
    [("24h_on", 56.0), ("four_team_8h", 42.0), ("three_team_8h", 56.0), ("two_12h", 84.0)],
)
def test_weekly_hours_of_each_pattern(pattern: str, hours: float) -> None:
    # One of so many teams is always on: 168 h a week, shared.
    weeks = 4 * 12  # a multiple of every pattern's cycle
    worked: dict[str, float] = defaultdict(float)
    for stint in stints_of(roster(pattern=pattern), weeks * WEEK):
        worked[stint.person] += stint.end - stint.start
    assert set(worked) == {f"duty-{k}" for k in range(1, 13)}
    for seconds in worked.values():
        assert seconds / 3600 / weeks == pytest.approx(hours, abs=0.5)
    assert sum(worked.values()) / 3600 / weeks / 12 == pytest.approx(hours, abs=1e-9)


@given(
    pattern=st.sampled_from(PATTERNS),
    handover=st.integers(0, 24 * 60 - 1),
    teams=st.none() | st.integers(1, 6),
    extra=st.integers(0, 5),
    hours=st.integers(1, 24 * 20),
)
@settings(max_examples=150, deadline=None)
def test_somebody_is_on_duty_at_every_moment(
    pattern: str, handover: int, teams: int | None, extra: int, hours: int
) -> None:
    count = teams or DEFAULT_TEAMS[pattern]
    seconds = hours * 3600.0
    settings = roster(
        pattern=pattern, handover=f"{handover} min", teams=teams, duty=2 * count + extra
    )
    stints = stints_of(settings, seconds)
    assert least_on_duty(stints, seconds) >= 2
    members = {name: p.team for name, p in settings.roster().items()}
    # One team at a time: all of its people come and go together, at a handover.
    by_team: dict[int, set[tuple[float, float]]] = defaultdict(set)
    for stint in stints:
        assert 0.0 <= stint.start < stint.end <= seconds
        by_team[members[stint.person]].add((stint.start, stint.end))
    taken = sorted(span for spans in by_team.values() for span in spans)
    assert taken[0][0] == 0.0
    assert taken[-1][1] == seconds
    shift = SHIFT_HOURS[pattern] * 3600.0
    for (_, end), (start, _) in pairwise(taken):
        assert end == start
        if count > 1:
            assert (start - handover * 60.0) % shift == pytest.approx(0.0, abs=1e-6)


def test_team_one_has_the_first_handover() -> None:
    stints = stints_of(roster(pattern="four_team_8h", handover="8 h", duty=4), 3 * DAY)
    first = next(s for s in stints if s.start == 8 * 3600.0)
    assert first.person == "duty-1"
    assert first.end == 16 * 3600.0


def test_plan_is_in_order_and_nobody_is_in_two_places() -> None:
    settings = roster(absence="30 %", cover="100 %", maintenance=3, pattern="24h_on")
    stints, absences = plan(settings, Streams(3), 60 * DAY)
    assert stints == sorted(stints, key=lambda s: (s.start, s.person))
    assert absences == sorted(absences, key=lambda a: (a.start, a.person))
    last: dict[str, float] = {}
    for stint in stints:
        assert stint.start > last.get(stint.person, -1.0)
        last[stint.person] = stint.end
    for absence in absences:
        mine = [s for s in stints if s.person == absence.person]
        inside = [s for s in mine if s.start < absence.end and s.end > absence.start]
        assert inside == []


def test_an_absence_is_covered_by_somebody_or_leaves_a_gap() -> None:
    with_all = stints_of(roster(duty=8), 60 * DAY)
    covered = roster(duty=8, absence="20 %", cover="100 %")
    gaps = roster(duty=8, absence="20 %", cover="0 %")
    stints, absences = plan(covered, Streams(1), 60 * DAY)
    assert absences
    assert all(a.covered for a in absences)
    open_stints, open_absences = plan(gaps, Streams(1), 60 * DAY)
    assert [(a.start, a.person) for a in open_absences] == [(a.start, a.person) for a in absences]
    assert not any(a.covered for a in open_absences)

    def hours(stints: list[Stint]) -> float:
        return sum(s.end - s.start for s in stints)

    missed = sum(a.end - a.start for a in absences)
    assert hours(open_stints) == pytest.approx(hours(with_all) - missed)
    # Who covers may have a shift of his own that joins; nobody works twice at once.
    assert hours(open_stints) < hours(stints) <= hours(with_all)


def test_absence_happens_as_often_as_it_says() -> None:
    settings = roster(absence="10 %", duty=12, pattern="three_team_8h")
    shifts = 12 * 365  # one shift a day each
    _, absences = plan(settings, Streams(1), 365 * DAY)
    sd = (shifts * 0.1 * 0.9) ** 0.5
    assert abs(len(absences) - 0.1 * shifts) < 3.3 * sd  # 99.9 %


@given(st.integers(0, 50), st.integers(8, 12))
@settings(max_examples=20, deadline=None)
def test_one_more_person_does_not_change_the_absences_of_the_others(seed: int, duty: int) -> None:
    few, more = (
        plan(roster(absence="10 %", duty=n, maintenance=2), Streams(seed), 30 * DAY)[1]
        for n in (duty, duty + 1)
    )
    new = f"duty-{duty + 1}"
    # Who covers whom may change with the teams, who is missing does not.
    assert [(a.start, a.end, a.person) for a in more if a.person != new] == [
        (a.start, a.end, a.person) for a in few
    ]


def test_a_higher_absence_only_adds_absences() -> None:
    rare, often = (plan(roster(absence=share), Streams(2), 90 * DAY)[1] for share in ("2 %", "8 %"))
    assert {(a.start, a.person) for a in rare} < {(a.start, a.person) for a in often}


def test_maintenance_people_work_by_day_so_many_days_a_week() -> None:
    settings = roster(maintenance=3, maintenance_on_days=5)
    stints = [s for s in stints_of(settings, 28 * DAY) if s.role is Role.MAINTENANCE]
    days: dict[str, list[float]] = defaultdict(list)
    for stint in stints:
        assert (stint.start % DAY, stint.end % DAY) == (8 * 3600.0, 18 * 3600.0)
        days[stint.person].append(stint.start // DAY)
    assert {name: len(worked) for name, worked in days.items()} == {
        f"maintenance-{k}": 20 for k in (1, 2, 3)
    }
    assert len({tuple(worked) for worked in days.values()}) == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"duty": 3}, "team 4 of 4 has nobody"),
        ({"duty": 0}, "nobody has the role duty"),
        ({"people": {"li": {"team": 1}, "wang": {"team": 5}}}, "team 5, but pattern four_team"),
        ({"maintenance_from": "18 h", "maintenance_until": "8 h"}, "later in the day"),
        ({"pattern": "six_4h"}, "24h_on"),
    ],
)  # fmt: skip
def test_contradictory_staffing_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        roster(**changes)
