"""What a run leaves to be written in one go: signals, states in all three views, surroundings.

What a device did is known only after the run, because repairs decide how long it was down. The
rows of whole populations are made here from arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from devices import FIRE_CAUSES
from twin.alarmcore.device_rules import ticket_deadline_s
from twin.center.settings import CenterSettings
from twin.log import LogWriter
from twin.scenario import Scenario
from twin.streams import Streams
from twin.terms import Kind, Role, Ticket, View
from twin.vendor.platform import merge_intervals
from twin.venues.build import Fleet, Venues
from twin.world.condition import Condition, Spans
from twin.world.happenings import Happenings, Signals
from twin.world.offline import FINDINGS, Offline, dead_beside, offline_times
from twin.world.surroundings import Outage, through
from twin.world.way import LOST, Way

Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.int64]

YEAR_S = 365.25 * 86400.0


def write_aftermath(
    log: LogWriter,
    scenario: Scenario,
    center: str,
    venues: Venues,
    fleet: Fleet,
    way: Way,
    happenings: Happenings,
    condition: Condition,
    offline_jobs: Sequence[tuple[int, float, float]],
    planned_work: Sequence[tuple[int, float, float]],
    streams: Streams,
) -> None:
    """Writes the rows that populations leave behind.

    Parameters
    ----------
    offline_jobs : device, opening and end of the offline tickets that the center worked on.
    planned_work : venue, opening and end of its planned maintenance.
    """
    settings = scenario.centers[center]
    seconds = scenario.duration
    spans = condition.spans()
    rows = _Rows(log, log.codes(fleet.ids), seconds)
    unheard = _silent(happenings, condition, spans)
    _signals(rows, happenings, unheard)
    _fires(log, venues, happenings, unheard, seconds)
    _faults_and_batteries(rows, condition, spans)
    upkeep = settings.maintenance
    offline = offline_times(way, happenings, condition, spans, upkeep.patience, offline_jobs)
    _offline(rows, offline, upkeep.triage)
    _planned(rows, fleet, planned_work)
    _passing(rows, way, happenings, spans, offline)
    _outages(log, way, list(scenario.vendors), seconds)
    _people(log, settings, venues, fleet, streams, seconds)


class _Rows:
    """Writes blocks of device rows, dropping what lies outside the period."""

    def __init__(self, log: LogWriter, code: NDArray[np.int32], seconds: float) -> None:
        self.log = log
        self.code = code
        self.seconds = seconds

    def write(
        self,
        kind: Kind,
        view: View,
        device: Indices,
        time: Floats,
        text: str | NDArray[np.int32] = "",
        value: float | Floats = np.nan,
        message: Indices | None = None,
    ) -> None:
        """One row per device and time; ``text`` for all, or a code each."""
        inside = time < self.seconds
        codes = np.full(len(device), self.log.code(text)) if isinstance(text, str) else text
        self.log.block(
            time[inside],
            kind,
            self.code[device[inside]],
            view=view,
            message=0 if message is None else message[inside],
            value=value if isinstance(value, float) else value[inside],
            text=codes[inside],
        )

    def interval(
        self,
        kinds: tuple[Kind, Kind],
        view: View,
        device: Indices,
        start: Floats,
        end: Floats,
        text: str | NDArray[np.int32] = "",
    ) -> None:
        """The rows of a state that begins and ends."""
        self.write(kinds[0], view, device, start, text)
        self.write(kinds[1], view, device, end)


OFFLINE = (Kind.OFFLINE, Kind.ONLINE)
FAULT = (Kind.FAULT, Kind.FAULT_CLEARED)


MISSED_AFTER_S = 15 * 60.0
"""An incipient fire that the platform hears of later than this after its detector sounded was not
monitored effectively, as D.1 has it (assumption, 5 to 60 min)."""


def _silent(happenings: Happenings, condition: Condition, spans: Spans) -> dict[int, str]:
    """Signals that never were or never got out, by their position, and why."""
    signals = happenings.signals
    why = dict(condition.unheard)
    gone = np.flatnonzero(~np.isfinite(signals.arrival))
    down = _down(spans, signals.device[gone], signals.signalled[gone])
    why.update(dict.fromkeys(gone[down].tolist(), "dead"))
    return why


def _down(spans: Spans, device: Indices, time: Floats) -> NDArray[np.bool_]:
    """Which devices were dead at a time."""
    dead = spans.dead
    who, start, end = merge_intervals(spans.device[dead], spans.start[dead], spans.end[dead])
    if len(who) == 0:
        return np.zeros(len(device), bool)
    scale = float(max(time.max(initial=0.0), start.max())) + 1.0
    at = np.searchsorted(who * scale + start, device * scale + time, side="right") - 1
    down: NDArray[np.bool_] = (at >= 0) & (who[at] == device) & (time < end[at])
    return down


def _signals(rows: _Rows, happenings: Happenings, unheard: Mapping[int, str]) -> None:
    """Every alarm that sounded, and those that never reached the platform."""
    signals = happenings.signals
    n = len(signals)
    silent = np.zeros(n, bool)
    silent[[i for i, why in unheard.items() if why != "offline"]] = True
    cut = np.zeros(n, bool)
    cut[[i for i, why in unheard.items() if why == "offline"]] = True
    sounded = np.flatnonzero(~silent)
    rows.write(
        Kind.SIGNAL,
        View.TRUTH,
        signals.device[sounded],
        signals.signalled[sounded],
        rows.log.chosen(signals.causes, signals.cause[sounded]),
        message=sounded + 1,
    )
    for code in np.unique(signals.lost[signals.lost > 0]).tolist():
        _lost(rows, signals, (signals.lost == code) & ~silent, LOST[code])
    _lost(rows, signals, cut & (signals.lost == 0), "offline")


def _lost(rows: _Rows, signals: Signals, which: NDArray[np.bool_], where: str) -> None:
    at = np.flatnonzero(which)
    device, time = signals.device[at], signals.signalled[at]
    rows.write(Kind.MESSAGE_LOST, View.TRUTH, device, time, where, message=at + 1)


def _fires(
    log: LogWriter,
    venues: Venues,
    happenings: Happenings,
    unheard: Mapping[int, str],
    seconds: float,
) -> None:
    """Incipient fires, and those of which the platform never heard, or too late (Annex D)."""
    fires, signals = happenings.fires, happenings.signals
    in_time = signals.arrival - signals.signalled <= MISSED_AFTER_S
    for number in range(len(fires.time)):
        venue, start = venues.ids[int(fires.venue[number])], float(fires.time[number])
        cause, fire = FIRE_CAUSES[int(fires.cause[number])], float(number + 1)
        log.row(start, Kind.FIRE, venue, view=View.TRUTH, value=fire, text=cause)
        own = np.flatnonzero(signals.fire == number).tolist()
        if not own or any(in_time[i] and i not in unheard for i in own):
            continue
        reasons = {_why_missed(signals, i, unheard) for i in own}
        why = next(word for word in ("dead", "offline", "lost") if word in reasons)
        at = min(float(signals.signalled[own].min()), seconds)
        log.row(at, Kind.FIRE_MISSED, venue, view=View.TRUTH, value=fire, text=why)


def _why_missed(signals: Signals, number: int, unheard: Mapping[int, str]) -> str:
    """Why a fire's signal was not heard in time; without cell, uplink or power it is offline."""
    if number in unheard:
        return unheard[number]
    lost = LOST[int(signals.lost[number])]
    return "offline" if lost in ("", "power") else "lost"


def _faults_and_batteries(rows: _Rows, condition: Condition, spans: Spans) -> None:
    """Faults and low batteries, in truth and as reported."""
    dead = spans.dead
    device, start, end = spans.device[dead], spans.start[dead], spans.end[dead]
    causes = [cause for cause, flag in zip(spans.cause, dead.tolist(), strict=True) if flag]
    rows.interval(FAULT, View.TRUTH, device, start, end, rows.log.codes(causes))
    _reported_faults(rows, condition, device, start, end)

    low = np.array(condition.low_batteries + condition.unfinished_low_batteries(), np.float64)
    device = low.reshape(-1, 3)[:, 0].astype(np.int64)
    since, changed = low.reshape(-1, 3)[:, 1], low.reshape(-1, 3)[:, 2]
    rows.write(Kind.LOW_BATTERY, View.TRUTH, device, since)
    told = np.array(condition.low_reports, np.float64).reshape(-1, 2)
    rows.write(Kind.LOW_BATTERY, View.PLATFORM, told[:, 0].astype(np.int64), told[:, 1])
    rows.write(Kind.BATTERY_CHANGED, View.TRUTH, device, changed)


def _offline(rows: _Rows, offline: Offline, triage_s: float) -> None:
    """Offline in all three views, and the tickets for which nobody had to go."""
    causes = rows.log.chosen(offline.words, offline.cause)
    rows.interval(OFFLINE, View.TRUTH, *offline.truth, causes)
    rows.interval(OFFLINE, View.VENDOR, *offline.vendor)
    rows.interval(OFFLINE, View.PLATFORM, *offline.platform)
    device, opened, closed = offline.tickets
    within = opened < rows.seconds
    device, opened, closed = device[within], opened[within], closed[within]
    found = rows.log.chosen(FINDINGS, offline.finding[within])
    deadline, ticket = ticket_deadline_s(Ticket.OFFLINE), Ticket.OFFLINE.value
    rows.write(Kind.TICKET_OPENED, View.PLATFORM, device, opened, ticket, deadline)
    rows.write(Kind.TICKET_FINDING, View.PLATFORM, device, opened + triage_s, found)
    rows.write(Kind.TICKET_CLOSED, View.PLATFORM, device, closed, ticket)


def _reported_faults(
    rows: _Rows, condition: Condition, device: Indices, start: Floats, end: Floats
) -> None:
    """Faults as the platform has them: from the report to the repair."""
    ends: dict[int, list[tuple[float, float]]] = {}
    for d, s, e in zip(device.tolist(), start.tolist(), end.tolist(), strict=True):
        ends.setdefault(d, []).append((s, e))
    reports = condition.fault_reports
    who = np.array([d for d, _, _, _ in reports], np.int64)
    known = np.array([k for _, k, _, _ in reports], np.float64)
    until = np.array(
        [next((e for s, e in ends[d] if s == since), np.inf) for d, _, since, _ in reports]
    )
    seen = known < until
    texts = rows.log.codes(
        text for (_, _, _, text), s in zip(reports, seen.tolist(), strict=True) if s
    )
    rows.interval(FAULT, View.PLATFORM, who[seen], known[seen], until[seen], texts)


def _planned(rows: _Rows, fleet: Fleet, work: Sequence[tuple[int, float, float]]) -> None:
    """Planned maintenance (8.1), as tickets of every point of the venue."""
    if not work:
        return
    columns = np.array(work, np.float64)
    points = np.flatnonzero(fleet.is_point)
    points = points[np.argsort(fleet.venue[points], kind="stable")]
    first = np.searchsorted(fleet.venue[points], columns[:, 0], side="left")
    count = np.searchsorted(fleet.venue[points], columns[:, 0], side="right") - first
    row = np.repeat(np.arange(len(work)), count)
    device = points[first[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)]
    deadline, text = ticket_deadline_s(Ticket.PERIODIC), Ticket.PERIODIC.value
    opened, done = columns[row, 1], columns[row, 2]
    rows.write(Kind.TICKET_OPENED, View.PLATFORM, device, opened, text, deadline)
    rows.write(Kind.TICKET_CLOSED, View.PLATFORM, device, done, text)


def _passing(rows: _Rows, way: Way, happenings: Happenings, spans: Spans, offline: Offline) -> None:
    """Messages that nobody has to answer at once, of devices that were there to send them."""
    cut = ~spans.dead
    not_answering = (spans.device[cut], spans.start[cut], spans.end[cut])
    for part in happenings.passing:
        says = through(offline.mute, part.device, part.time) == part.time
        sent = says & np.isfinite(part.arrival)
        device, time, arrival = part.device[sent], part.time[sent], part.arrival[sent]
        dead = dead_beside(way, device, time, *not_answering)
        for i in np.flatnonzero(dead).tolist():
            one = (int(device[i]), float(time[i]), float(arrival[i]))
            arrival[i] = way.late_one(*one, int(dead[i]))
        rows.write(part.kind, View.PLATFORM, device, arrival, part.text, part.value[sent])


def _outages(log: LogWriter, way: Way, vendors: Sequence[str], seconds: float) -> None:
    """Cells, feeders and vendor platforms that were down."""

    def write(outages: Outage, names: Sequence[str], down: Kind, up: Kind) -> None:
        for entity, start, end in zip(
            outages.entity.tolist(), outages.start.tolist(), outages.end.tolist(), strict=True
        ):
            log.row(start, down, names[entity], view=View.TRUTH)
            if end < seconds:
                log.row(end, up, names[entity], view=View.TRUTH)

    cells = [f"cell-{k + 1}" for k in range(int(way.around.cell.max(initial=-1)) + 1)]
    feeders = [f"feeder-{k + 1}" for k in range(int(way.around.feeder.max(initial=-1)) + 1)]
    write(way.around.cells, cells, Kind.CELL_DOWN, Kind.CELL_UP)
    write(way.around.feeders, feeders, Kind.POWER_CUT, Kind.POWER_BACK)
    write(way.vendor_outages, vendors, Kind.VENDOR_DOWN, Kind.VENDOR_UP)


COMPLAINT_MATTERS = ("slow to come", "false alarms", "installation", "billing")
"""What complaints are about (11.2); labels only."""


def _people(
    log: LogWriter,
    settings: CenterSettings,
    venues: Venues,
    fleet: Fleet,
    streams: Streams,
    seconds: float,
) -> None:
    """Training on the post, complaints and contract renewals."""
    for name, person in settings.roster.roster().items():
        if person.role is Role.DUTY and person.training > 0:
            for quarter in (0.125, 0.375, 0.625, 0.875):
                at = quarter * YEAR_S
                if at < seconds:
                    hours = person.training / 3600.0 / 4.0
                    log.row(at, Kind.TRAINED, name, value=hours, text="on the post")
    code = log.codes(venues.ids)
    _complaints(log, settings.complaints / 20_000 / YEAR_S, code, fleet, streams, seconds)
    renews = streams.generator("renewal").random(len(venues.ids)) < settings.renewal
    ends = np.flatnonzero(venues.contract_end_s < seconds)
    log.block(
        venues.contract_end_s[ends],
        Kind.RENEWAL,
        code[ends],
        value=renews[ends].astype(np.float64),
    )


def _complaints(
    log: LogWriter,
    rate: float,
    code: NDArray[np.int32],
    fleet: Fleet,
    streams: Streams,
    seconds: float,
) -> None:
    """Upheld complaints, at a rate per point and second: a venue's k-th is drawn in round k."""
    if rate == 0.0:
        return
    points = np.bincount(fleet.venue[fleet.is_point], minlength=len(code))
    mean = np.divide(1.0, rate * points, out=np.full(len(points), np.inf), where=points > 0)
    time, number = np.zeros(len(points)), 0
    while True:
        rng = streams.generator("complaints", number)
        time = time + mean * rng.standard_exponential(len(points))
        matter = rng.integers(len(COMPLAINT_MATTERS), size=len(points))
        due = np.flatnonzero(time < seconds)
        if not len(due):
            return
        words = log.codes(COMPLAINT_MATTERS)[matter[due]]
        log.block(time[due], Kind.COMPLAINT, code[due], value=1.0, text=words)
        number += 1
