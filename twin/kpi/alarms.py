"""Figures of the fire alarms and their handling (clauses 3.4, 4.6, 6.1 to 6.4, 8.3, D.1).

Definitions that the standard leaves open, as this project reads them:

- A *message* is verified by the verification of its alarm that ends after it came. A message that
  came after it, of a device that the center had disabled by then, is counted apart.
- *Strictly verified* is a message after which somebody said by telephone or video what it was, or
  somebody came to the scene: a call that nobody answers, or that leaves it unclear, verifies
  nothing. Messages of disabled devices count here.
- An alarm is *handled* when at least one responsible person was notified within 1 min of receipt,
  somebody (other than the brigade) was on scene within 15 min of the order where people were sent
  or had to be sent because nobody was reached, and its record is closed.
- It is *strictly handled* when also every one of its messages was responded to within 5 s and
  verified within 1 min, people were sent at once where nobody was reached, and 119 was called at
  once where a fire was confirmed.
- What is still open at the end of the period, with its deadline still ahead, is *pending*: it is
  neither met nor missed, and stays out of the rates. A log may follow its alarms beyond that end.
- A message counts in the period in which it was received, an alarm in the one in which it was
  raised: of an alarm that is open when the period begins (ALARM_OPEN) only messages count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.kpi.devices import KindRate, Registry, by_kind
from twin.kpi.rates import handling_rate, verification_rate
from twin.kpi.rows import GRAIN_US, I64, Intervals, Mask, Rows, covered
from twin.log import MICROSECONDS
from twin.standard import NOTIFY_S, RESPONSE_S, TRAVEL_S, VERIFICATION_S
from twin.terms import FALSE_ALARMS, Annotation, Category, Kind, Verification

AT_ONCE_S = 60.0  # "at once" of 6.2 has no number: assumption, vary 30 s to 180 s
RECORD_S = 24 * 3600.0  # a record still open so long after its alarm is not closed: assumption,
# vary 8 h to 168 h; it decides only about the last day of a log
ANSWERS = (Verification.CONFIRMED, Verification.NOT_A_FIRE, Verification.TEST)
"""Ends of a verification at which somebody has said what it is."""
NEVER = np.iinfo(np.int64).max // 4
NAN = float("nan")


def _us(seconds: float) -> int:
    """A limit in us; durations up to it are in time."""
    return round(seconds * MICROSECONDS) + GRAIN_US


@dataclass(frozen=True)
class Quantiles:
    """Median, 90 %, 99 % and greatest of some durations, in seconds (NaN where there are none)."""

    count: int
    median: float
    p90: float
    p99: float
    most: float


def quantiles(seconds: NDArray[np.float64]) -> Quantiles:
    """The quantiles of an array of durations."""
    if not len(seconds):
        return Quantiles(0, NAN, NAN, NAN, NAN)
    median, p90, p99, most = np.quantile(seconds, [0.5, 0.9, 0.99, 1.0]).tolist()
    return Quantiles(len(seconds), median, p90, p99, most)


@dataclass(frozen=True)
class AlarmTable:
    """One row per fire alarm; all arrays (n,).

    Attributes
    ----------
    id, raised_us : the alarm and its first message's receipt.
    month : month number of ``raised_us``; device : subject code of the first message's device.
    annotation : code into :data:`ANNOTATIONS`, -1 where there is none.
    counted : no test, and no longer pending: the denominator of the handling rate.
    handled, strict, pending, unattended, closed, whole : see the module's definitions.
    """

    id: I64
    raised_us: I64
    month: NDArray[np.intp]
    device: I64
    annotation: NDArray[np.int8]
    counted: Mask
    handled: Mask
    strict: Mask
    pending: Mask
    unattended: Mask
    closed: Mask
    whole: Mask


@dataclass(frozen=True)
class Demand:
    """A duty on each of some alarms: how many had it, how many met it, how many are pending."""

    asked: int
    met: int
    pending: int


@dataclass(frozen=True)
class AlarmKpis:
    """Figures of the fire alarms; see the module for the definitions.

    ``messages`` are the fire alarm messages that are decided (verified, or past their minute);
    ``verified`` of them were verified, ``responded_late`` and ``verified_late`` missed 5 s or
    1 min (never counts as late); ``messages_pending`` and ``messages_disabled`` are apart.
    ``strictly_verified`` are of ``messages_strict``, ``strictly_verified_at_once`` of them within
    1 min of receipt; the strict rates are of these.
    ``handled`` and ``strictly_handled`` are of ``alarms`` (no tests, not ``alarms_pending``).
    """

    messages: int
    verified: int
    messages_pending: int
    messages_disabled: int
    verification_rate: float
    messages_strict: int
    strictly_verified: int
    strictly_verified_at_once: int
    strict_verification_rate: float
    at_once_verification_rate: float
    responded_late: int
    verified_late: int
    response: Quantiles
    verification: Quantiles
    alarms_all: int
    alarms: int
    handled: int
    strictly_handled: int
    alarms_pending: int
    tests: int
    handling_rate: float
    strict_handling_rate: float
    not_notified: int
    not_on_scene: int
    not_closed: int
    unattended: int
    on_scene: Quantiles
    on_scene_roles: Mapping[str, int]
    annotations: Mapping[str, int]
    confirmed: int
    emergency_call: Quantiles
    called_119: Demand
    plan: Demand
    sent: Demand
    evacuation: Demand
    report: Demand
    annotated: Demand
    loop: Demand
    grid: Demand
    false_alarms: tuple[KindRate, ...]
    per_day: float
    by_hour: tuple[int, ...]
    by_month: Mapping[str, tuple[float, ...]]
    other_messages: Mapping[str, int]
    table: AlarmTable


ANNOTATIONS = tuple(Annotation)


class _Chains:
    """The alarms and, for each, first, last and number of the rows of a kind."""

    def __init__(self, rows: Rows, ids: I64) -> None:
        self.rows, self.ids = rows, ids

    def place(self, at: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The rows that belong to one of the alarms, and to which."""
        if not len(self.ids):
            return at[:0], at[:0]
        alarm = self.rows.log.alarm[at]
        found = np.clip(np.searchsorted(self.ids, alarm), 0, len(self.ids) - 1)
        mine = self.ids[found] == alarm
        return at[mine], found[mine]

    def first(self, at: NDArray[np.intp]) -> I64:
        """Time of each alarm's first of these rows, NEVER where there is none."""
        at, alarm = self.place(at)
        time = np.full(len(self.ids), NEVER, np.int64)
        time[alarm[::-1]] = self.rows.log.time[at[::-1]]
        return time

    def last(self, at: NDArray[np.intp]) -> I64:
        """Row number of each alarm's last of these rows, -1 where there is none."""
        at, alarm = self.place(at)
        row = np.full(len(self.ids), -1, np.int64)
        row[alarm] = at
        return row

    def number(self, at: NDArray[np.intp]) -> I64:
        """How many of these rows each alarm has."""
        return np.bincount(self.place(at)[1], minlength=len(self.ids)).astype(np.int64)

    def next_row(self, at: NDArray[np.intp], row: I64, alarm: NDArray[np.intp]) -> I64:
        """For each (row, alarm) the alarm's next of these rows, or the log's length."""
        keys, place = self._find(at, row, alarm)
        good = place < len(keys)
        size = len(self.rows.log)
        found = np.full(len(row), size, np.int64)
        found[good] = np.where(
            keys[place[good]] // size == alarm[good], keys[place[good]] % size, size
        )
        return found

    def previous_row(self, at: NDArray[np.intp], row: I64, alarm: NDArray[np.intp]) -> I64:
        """For each (row, alarm) the alarm's last of these rows before, or -1."""
        keys, place = self._find(at, row, alarm)
        good = place > 0
        size = len(self.rows.log)
        found = np.full(len(row), -1, np.int64)
        before = keys[place[good] - 1]
        found[good] = np.where(before // size == alarm[good], before % size, -1)
        return found

    def _find(
        self, at: NDArray[np.intp], row: I64, alarm: NDArray[np.intp]
    ) -> tuple[I64, NDArray[np.intp]]:
        size = len(self.rows.log)
        mine, whose = self.place(at)
        keys = np.sort(whose.astype(np.int64) * size + mine)
        return keys, np.searchsorted(keys, alarm * size + row)


def alarm_kpis(rows: Rows, devices: Registry, disabled: Intervals) -> AlarmKpis:
    """The figures of the fire alarms of a center's log.

    Parameters
    ----------
    disabled : when the platform had devices disabled (屏蔽).
    """
    log, period = rows.log, rows.period
    end = period.followed_us
    received = rows.at(Kind.FIRE_ALARM)
    received = received[log.time[received] <= period.end_us]
    fire_rows = rows.where_text(received, Category.FIRE)
    fire_rows = fire_rows[log.alarm[fire_rows] != 0]
    ids, first = np.unique(log.alarm[fire_rows], return_index=True)
    chains = _Chains(rows, ids)

    # -- messages
    time = log.time[fire_rows]
    alarm = np.searchsorted(ids, log.alarm[fire_rows])
    device = log.subject.codes[fire_rows].astype(np.int64)
    responded_at, verified_at = rows.at(Kind.RESPONDED), rows.at(Kind.VERIFIED)
    next_verified = chains.next_row(verified_at, fire_rows, alarm)
    verified = next_verified < len(log)
    waiting = np.where(verified, log.time[np.minimum(next_verified, len(log) - 1)], NEVER) - time
    open_rows = rows.at(Kind.ALARM_OPEN)
    verified_once = np.union1d(verified_at, rows.where_text(open_rows, "verified"))
    responded_once = np.union1d(responded_at, rows.where_text(open_rows, "responded"))
    before = chains.previous_row(verified_once, fire_rows, alarm)
    # where somebody is at it already, a message that joins is responded to as it comes
    under_way = chains.previous_row(responded_once, fire_rows, alarm) > before
    next_responded = chains.next_row(responded_at, fire_rows, alarm)
    seen = next_responded < len(log)
    response = np.where(seen, log.time[np.minimum(next_responded, len(log) - 1)], NEVER) - time
    response[under_way] = 0
    apart = covered(disabled, device, time, time) & ~verified & (before >= 0)
    pending = ~verified & (end - time < _us(VERIFICATION_S)) & ~apart
    decided = ~pending & ~apart
    answers = rows.where_text(verified_at, *ANSWERS)
    known_rows = np.union1d(answers, rows.at(Kind.ON_SCENE))
    next_known = chains.next_row(known_rows, fire_rows, alarm)
    known = next_known < len(log)
    until_known = np.where(known, log.time[np.minimum(next_known, len(log) - 1)], NEVER) - time
    # whoever has been sent has their 15 min still, and the verification its minute before
    in_time_still = ~known & (end - time < _us(VERIFICATION_S + TRAVEL_S))
    strict_of = ~pending & ~in_time_still
    late_verified = decided & (waiting > _us(VERIFICATION_S))
    late_response = ~apart & (response > _us(RESPONSE_S)) & (end - time >= _us(RESPONSE_S))

    # -- alarms
    own = ~np.isin(ids, log.alarm[open_rows])
    ids, first = ids[own], first[own]
    chains = _Chains(rows, ids)
    raised = log.time[fire_rows[first]]
    n = len(ids)

    def whose(mask: Mask) -> I64:
        """How many of these messages each alarm has."""
        return np.bincount(alarm[mask], minlength=len(own)).astype(np.int64)[own]

    annotated_row = chains.last(rows.at(Kind.ANNOTATED))
    meaning = np.full(len(log.text.words) + 1, -1, np.int8)
    for number, word in enumerate(ANNOTATIONS):
        meaning[rows.text_code(word)] = number
    meaning[-1] = -1  # where words that do not occur ended up
    annotation = meaning[np.where(annotated_row >= 0, log.text.codes[annotated_row], -1)]
    test = annotation == ANNOTATIONS.index(Annotation.TEST)
    notified = chains.first(rows.at(Kind.NOTIFIED))
    notice_ok = notified - raised <= _us(NOTIFY_S)
    notice_lost = ~notice_ok & (end - raised >= _us(NOTIFY_S))

    orders = rows.at(Kind.DISPATCHED)
    order = chains.first(orders)
    withdrawn_rows = rows.at(Kind.STOOD_DOWN)
    withdrawn_row = chains.last(withdrawn_rows)
    arrivals = rows.at(Kind.ON_SCENE)
    ours = arrivals[~np.isin(log.text.codes[arrivals], [rows.text_code("brigade")])]
    there = chains.first(ours)
    unreached_rows = rows.where_text(verified_at, Verification.NOBODY_REACHED)
    unreached = chains.first(unreached_rows)
    must_send = unreached < NEVER
    ordered = order < NEVER
    clock = np.where(ordered, order, unreached)
    withdrawn_us = np.where(withdrawn_row >= 0, log.time[np.maximum(withdrawn_row, 0)], NEVER)
    withdrawn = (
        ordered & (chains.number(withdrawn_rows) >= chains.number(orders)) & (there == NEVER)
    )
    in_time = (np.where(withdrawn, withdrawn_us, there) - clock) <= _us(TRAVEL_S)
    sending = must_send | ordered
    scene_ok = ~sending | (in_time & (ordered | (there < NEVER)))
    scene_lost = ~scene_ok & (end - np.minimum(clock, end) >= _us(TRAVEL_S))
    closed_row = chains.last(rows.at(Kind.CLOSED))
    closed = closed_row >= 0
    record_lost = ~closed & (end - raised >= _us(RECORD_S))

    handled = notice_ok & scene_ok & closed
    lost = notice_lost | scene_lost | record_lost
    still_open = ~handled & ~lost & ~test
    counted = ~test & ~still_open

    # -- the duties of clause 6
    confirm_rows = rows.at(Kind.FIRE_CONFIRMED)
    confirmed_us = chains.first(confirm_rows)
    confirmed = confirmed_us < NEVER
    called_us = chains.first(rows.at(Kind.EMERGENCY_CALL))
    call_delay = np.maximum(called_us - confirmed_us, 0)
    at_once = _us(AT_ONCE_S)

    def duty(asked: Mask, met: Mask, since: I64, limit_us: int) -> Demand:
        """Counts a duty; unmet within its limit at the end of the period, it is pending."""
        open_still = asked & ~met & (end - np.minimum(since, end) < limit_us)
        return Demand(
            int((asked & ~open_still).sum()), int((asked & met).sum()), int(open_still.sum())
        )

    call_ok = call_delay <= at_once
    by_phone_rows = rows.where_text(confirm_rows, "phone", "video")
    phone_us = chains.first(by_phone_rows)
    plan_us = chains.first(rows.at(Kind.PLAN_STARTED))
    scene_rows = rows.where_text(confirm_rows, "on_scene")
    on_scene_us = chains.first(scene_rows)
    out_us = chains.first(rows.at(Kind.EVACUATION))
    send_ok = (order - unreached <= at_once) | (there - unreached <= at_once)
    class_1_or_2 = (annotation == 0) | (annotation == 1)
    fires = confirmed | class_1_or_2
    reported = chains.last(rows.at(Kind.REPORT_FILED)) >= 0
    seen_all = chains.last(responded_at) >= 0
    verified_all = whose(~verified & ~apart) == 0
    whole = seen_all & verified_all & (annotation >= 0) & closed & (~fires | reported)
    grid_ok = chains.last(rows.at(Kind.CONFIRMED_SENT)) >= 0

    slow = (late_response | late_verified | pending) & ~apart
    prompt = whose(slow) == 0
    strict = handled & prompt & (~must_send | send_ok) & (~confirmed | call_ok)
    never_verified = (chains.last(verified_at) < 0) & (end - raised >= _us(VERIFICATION_S))
    nobody_came = sending & (there == NEVER) & ~withdrawn & scene_lost
    unattended = never_verified | nobody_came | record_lost

    month = period.month_of(raised)
    table = AlarmTable(
        ids,
        raised,
        month,
        device[first],
        annotation,
        counted,
        handled,
        strict,
        still_open,
        unattended,
        closed,
        whole,
    )
    false_codes = [ANNOTATIONS.index(word) for word in FALSE_ALARMS]
    false = np.isin(annotation, false_codes)
    months = len(period.months)
    message_month = period.month_of(time)

    def monthly(mask: Mask, of: Mask, where: NDArray[np.intp]) -> tuple[float, ...]:
        part = np.bincount(where[mask & of], minlength=months).tolist()
        whole_ = np.bincount(where[of], minlength=months).tolist()
        return tuple(float(verification_rate(p, w)) for p, w in zip(part, whole_, strict=True))

    def tally(mask: Mask, where: NDArray[np.intp]) -> tuple[float, ...]:
        return tuple(np.bincount(where[mask], minlength=months).astype(float).tolist())

    every = np.ones(n, bool)
    travelled = (there < NEVER) & ordered & ~test
    roles = rows.texts(chains.place(arrivals)[0])
    count_messages, count_alarms = int(decided.sum()), int(counted.sum())
    good, handled_n = int((verified & decided).sum()), int((handled & counted).sum())
    count_strict, known_n = int(strict_of.sum()), int((known & strict_of).sum())
    at_once_n = int((strict_of & (until_known <= _us(VERIFICATION_S))).sum())
    strict_n = int((strict & counted).sum())
    words = np.bincount(log.text.codes[received], minlength=len(log.text.words))
    return AlarmKpis(
        messages=count_messages,
        verified=good,
        messages_pending=int(pending.sum()),
        messages_disabled=int(apart.sum()),
        verification_rate=float(verification_rate(good, count_messages)),
        messages_strict=count_strict,
        strictly_verified=known_n,
        strictly_verified_at_once=at_once_n,
        strict_verification_rate=float(verification_rate(known_n, count_strict)),
        at_once_verification_rate=float(verification_rate(at_once_n, count_strict)),
        responded_late=int(late_response.sum()),
        verified_late=int(late_verified.sum()),
        response=quantiles(response[response < NEVER // 2] / MICROSECONDS),
        verification=quantiles(waiting[verified] / MICROSECONDS),
        alarms_all=n,
        alarms=count_alarms,
        handled=handled_n,
        strictly_handled=strict_n,
        alarms_pending=int(still_open.sum()),
        tests=int(test.sum()),
        handling_rate=float(handling_rate(handled_n, count_alarms)),
        strict_handling_rate=float(handling_rate(strict_n, count_alarms)),
        not_notified=int((counted & notice_lost).sum()),
        not_on_scene=int((counted & scene_lost).sum()),
        not_closed=int((counted & record_lost).sum()),
        unattended=int(unattended.sum()),
        on_scene=quantiles(np.maximum(there - order, 0)[travelled] / MICROSECONDS),
        on_scene_roles={role: roles.count(role) for role in sorted(set(roles))},
        annotations={
            word: int((annotation == number).sum()) for number, word in enumerate(ANNOTATIONS)
        },
        confirmed=int(confirmed.sum()),
        emergency_call=quantiles(call_delay[confirmed & (called_us < NEVER)] / MICROSECONDS),
        called_119=duty(confirmed, call_ok, confirmed_us, at_once),
        plan=duty(phone_us < NEVER, plan_us < NEVER, phone_us, at_once),
        sent=duty(must_send, send_ok, unreached, at_once),
        evacuation=duty(on_scene_us < NEVER, out_us < NEVER, on_scene_us, at_once),
        report=duty(fires, reported, raised, _us(RECORD_S)),
        annotated=duty(every, annotation >= 0, raised, _us(RECORD_S)),
        loop=duty(every, whole, raised, _us(RECORD_S)),
        grid=duty(confirmed, grid_ok, confirmed_us, at_once),
        false_alarms=by_kind(devices, device[first][false], fire_only=True),
        per_day=n / (period.seconds / 86400.0),
        by_hour=tuple(np.bincount(period.hour_of_day(raised), minlength=24).tolist()),
        by_month={
            "verification_rate": monthly(verified, decided, message_month),
            "strict_verification_rate": monthly(known, strict_of, message_month),
            "handling_rate": monthly(handled, counted, month),
            "strict_handling_rate": monthly(strict, counted, month),
            "alarms": tally(every, month),
            "messages": tally(np.ones(len(time), bool), message_month),
            "false_alarms": tally(false, month),
            "confirmed_fires": tally(confirmed, month),
        },
        other_messages={
            log.text.words[code]: int(words[code])
            for code in np.flatnonzero(words).tolist()
            if log.text.words[code] != Category.FIRE
        },
        table=table,
    )
