"""The roster: who is on duty from when to when, over the whole period (4.4).

Teams take turns shift after shift from the first handover on; maintenance people work by day,
so many days in a row a week. Absence is drawn per person and shift; a missed duty shift may be
covered by a person of another team, who covers one at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin.center.settings import PersonSettings, RosterSettings
from twin.streams import Streams
from twin.terms import Role

DAY = 86400.0


class Stint(NamedTuple):
    """One person's time on duty. Times in seconds since the start of the run."""

    start: float
    end: float
    person: str
    role: Role


class Absence(NamedTuple):
    """A shift that its person misses."""

    start: float
    end: float
    person: str
    covered: bool


def plan(
    settings: RosterSettings, streams: Streams, seconds: float
) -> tuple[list[Stint], list[Absence]]:
    """Everybody's stints and absences in the period, ordered by start, then by person.

    Parameters
    ----------
    settings : the roster.
    streams : the center's streams; absences are drawn per person.
    seconds : length of the period, which begins at local midnight.
    """
    people = settings.roster()
    stints: list[Stint] = []
    absences: list[Absence] = []
    covers: set[tuple[str, float]] = set()
    for name, person in people.items():
        if person.role is Role.DUTY:
            shifts = _duty_shifts(settings, person.team, seconds)
        else:
            shifts = _field_days(settings, person.team, seconds)
        draws = streams.generator("absence", name).random((len(shifts), 2))
        substitute = _substitute(settings, people, name, person)
        for (start, end), (missing, covering) in zip(shifts, draws.tolist(), strict=True):
            if missing >= settings.absence:
                stints.append(Stint(start, end, name, person.role))
                continue
            covered = (
                substitute is not None
                and covering < settings.cover
                and (substitute, start) not in covers
            )
            absences.append(Absence(start, end, name, covered))
            if covered and substitute is not None:
                covers.add((substitute, start))
                stints.append(Stint(start, end, substitute, person.role))
    return _joined(stints), sorted(absences, key=lambda a: (a.start, a.person))


def _duty_shifts(settings: RosterSettings, team: int, seconds: float) -> list[tuple[float, float]]:
    """A team's shifts, clipped to the period; team 1 has the shift of the first handover."""
    length, teams = settings.shift_s, settings.team_count
    first = settings.handover - np.ceil(settings.handover / length) * length
    number = np.arange(int(np.ceil((seconds - first) / length)) + 1)
    start = first + number * length
    turn = (number - round((settings.handover - first) / length)) % teams
    mine = (turn == team - 1) & (start < seconds) & (start + length > 0)
    return [(max(s, 0.0), min(s + length, seconds)) for s in start[mine].tolist()]


def _field_days(settings: RosterSettings, team: int, seconds: float) -> list[tuple[float, float]]:
    """A maintenance person's days: days in a row, then off; people of other teams shifted."""
    days = np.arange(int(np.ceil(seconds / DAY)))
    works = (days + 3 * (team - 1)) % 7 < settings.maintenance_on_days
    return [
        (
            day * DAY + settings.maintenance_from,
            min(day * DAY + settings.maintenance_until, seconds),
        )
        for day in days[works].tolist()
        if day * DAY + settings.maintenance_from < seconds
    ]


def _substitute(
    settings: RosterSettings,
    people: dict[str, PersonSettings],
    name: str,
    person: PersonSettings,
) -> str | None:
    """Who covers a missed duty shift: the same place in the team half a round away."""
    if person.role is not Role.DUTY or settings.team_count < 2:
        return None

    def team(number: int) -> list[str]:
        return [n for n, p in people.items() if p.role is Role.DUTY and p.team == number]

    others = team((person.team - 1 + max(1, settings.team_count // 2)) % settings.team_count + 1)
    return others[team(person.team).index(name) % len(others)] if others else None


def _joined(stints: list[Stint]) -> list[Stint]:
    """Stints of one person that touch or overlap become one."""
    joined: list[Stint] = []
    for stint in sorted(stints, key=lambda s: (s.person, s.start)):
        last = joined[-1] if joined else None
        if last and last.person == stint.person and stint.start <= last.end:
            joined[-1] = Stint(last.start, max(last.end, stint.end), last.person, last.role)
        else:
            joined.append(stint)
    return sorted(joined, key=lambda s: (s.start, s.person))
