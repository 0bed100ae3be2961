"""Figures of the staffing (clauses 4.4, 4.5, 5.1.12): from the duty rows of the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from twin.kpi.devices import json_facts
from twin.kpi.rows import Intervals, Rows, clip_to, intervals, steps
from twin.log import MICROSECONDS
from twin.standard import SHIFT_MIN
from twin.terms import Kind, Role

REASONS = ("dispatch", "maintenance", "break")
"""Why a desk is left; where several are out, the first of these names the time."""


@dataclass(frozen=True)
class Person:
    """One of the center's people, as registered."""

    name: str
    role: str
    trained: bool
    training_hours: float


@dataclass(frozen=True)
class StaffingKpis:
    """Figures of the staffing.

    Attributes
    ----------
    people : everybody registered.
    stated : whether the log has any duty row (somebody on duty, or missing there).
    least_on_duty : the least number of duty people on duty at any time.
    seconds_by_number : time with so many duty people on duty: ``seconds_by_number[1]`` is the time
        with exactly one; the last entry holds that number and more.
    minutes_below : minutes with fewer than two on duty.
    minutes_desk_below : minutes with two or more on duty but fewer than two at the desk, by the
        reason for which somebody is out.
    minutes_desk_empty : minutes with nobody at the desk.
    weekly_hours : mean hours on duty a week, by person (all roles).
    absences, absences_uncovered : absent people, and those whom nobody replaced.
    by_month : minutes_below, minutes_desk_empty.
    """

    people: tuple[Person, ...]
    stated: bool
    least_on_duty: int
    seconds_by_number: tuple[float, ...]
    minutes_below: float
    minutes_desk_below: Mapping[str, float]
    minutes_desk_empty: float
    weekly_hours: Mapping[str, float]
    absences: int
    absences_uncovered: int
    by_month: Mapping[str, tuple[float, ...]]

    def minutes_with_fewer_than(self, people: int) -> float:
        """Minutes with fewer than so many duty people on duty (5.1.12)."""
        return sum(self.seconds_by_number[:people]) / 60.0


def _people(rows: Rows) -> tuple[Person, ...]:
    at = rows.at(Kind.PERSON)
    hours = rows.log.value[at].tolist()
    known = json_facts(rows.texts(at), "person", "role, trained and team")
    people = {}
    for name, facts, value in zip(rows.subjects(at), known, hours, strict=True):
        people[name] = Person(
            name,
            str(facts.get("role", "")),
            bool(facts.get("trained", False)),
            0.0 if value != value else value,
        )
    return tuple(people.values())


def staffing_kpis(rows: Rows) -> StaffingKpis:
    """The figures of the staffing."""
    log, period = rows.log, rows.period
    on, off = rows.at(Kind.ON_DUTY), rows.at(Kind.OFF_DUTY)
    everybody = intervals(rows, on, off)
    duty = intervals(rows, rows.where_text(on, Role.DUTY), off)
    out: list[Intervals] = []
    left = rows.at(Kind.LEFT_DESK)
    back = rows.at(Kind.BACK_AT_DESK, Kind.OFF_DUTY)
    for reason in REASONS:
        mine = rows.where_text(left, reason)
        others = np.setdiff1d(left, mine, assume_unique=True)  # a new reason ends the old one
        out.append(clip_to(intervals(rows, mine, np.union1d(back, others)), duty))
    step = steps(period, duty, *out)
    present = step.counts[0]
    away = sum(step.counts[1:], start=np.zeros_like(present))
    desk = present - away
    thin = (present >= SHIFT_MIN) & (desk < SHIFT_MIN)
    below: dict[str, float] = {}
    for reason, gone in zip(REASONS, step.counts[1:], strict=True):
        below[reason] = step.seconds_where(thin & (gone > 0)) / 60.0
        thin &= gone == 0
    hours = {}
    weeks = period.seconds / (7 * 86400.0)
    for code in np.unique(everybody.key).tolist():
        mine = everybody.key == code
        seconds = (everybody.end_us[mine] - everybody.start_us[mine]).sum() / MICROSECONDS
        hours[log.subject.words[code]] = float(seconds) / 3600.0 / weeks
    absent = rows.at(Kind.ABSENT)
    months = len(period.months)
    stated = len(on) + len(absent) > 0
    return StaffingKpis(
        people=_people(rows),
        stated=stated,
        least_on_duty=int(present.min()),
        seconds_by_number=tuple(np.bincount(present, step.seconds, 1).tolist()),
        minutes_below=step.seconds_where(present < SHIFT_MIN) / 60.0,
        minutes_desk_below=below,
        minutes_desk_empty=step.seconds_where(desk <= 0) / 60.0,
        weekly_hours=dict(sorted(hours.items())),
        absences=len(absent),
        absences_uncovered=len(rows.where_text(absent, "not_covered")),
        by_month={
            "minutes_below_two": tuple(
                (step.by_month(present < SHIFT_MIN, months) / 60.0).tolist()
            ),
            "minutes_desk_empty": tuple((step.by_month(desk <= 0, months) / 60.0).tolist()),
        },
    )
