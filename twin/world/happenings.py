"""What will happen in a center's venues and devices, sampled as arrays before the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devices import (
    EQUIPMENT,
    FAULT_OR_UNEXPLAINED,
    FIRE_CAUSES,
    REAL_CAUSES,
    TEST,
    DeviceKind,
    Happening,
    Occurrences,
    battery_life_s,
    detection_delay_s,
    maintained_population,
    sample,
    sample_fires,
    site_frailty,
)
from devices import Period as DevicePeriod
from twin.streams import Streams
from twin.terms import Annotation, Kind
from twin.venues.build import Fleet, Venues
from twin.world.condition import LOW_BATTERY_RESERVE_S, Change, Changes
from twin.world.way import Way

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

DAY_S = 86400.0

REPEAT_SHARE = 0.25
"""Alarms that a device repeats, and repeats that it repeats again (assumption, 0 to 0.6)."""

REPEAT_AFTER_S = (60.0, 180.0)
"""A repeat comes between these times after the signal before it (assumption)."""

PASSING = {
    Happening.EARLY_WARNING: Kind.EARLY_WARNING,
    Happening.SUPERVISORY: Kind.SUPERVISORY,
    Happening.ACTUATION: Kind.ACTUATION,
    Happening.OPERATION: Kind.OPERATION,
}
"""Happenings that reach the platform as messages outside the procedure of clause 6."""


@dataclass(frozen=True)
class Signals:
    """Alarm signals of devices, one entry per signal, in the order in which they arrive.

    Attributes
    ----------
    signalled, arrival : when it sounds, and when it reaches the platform (inf: never), s.
    device : its number; cause : number in ``causes``; fire : its fire's number, -1 = none.
    lost : where it got lost (position in :data:`twin.world.way.LOST`).
    dirt : by how much dirt has raised the rate of such alarms if nobody cleans it; luck : a
        uniform that decides whether the alarm still happens after a cleaning.
    response : the key of the luck of the response to it (:mod:`twin.center.luck`).
    """

    signalled: Floats
    arrival: Floats
    device: Indices
    cause: Indices
    fire: Indices
    lost: NDArray[np.int8]
    dirt: Floats
    luck: Floats
    response: Floats
    causes: tuple[str, ...]

    def __len__(self) -> int:
        """Number of signals."""
        return len(self.device)


@dataclass(frozen=True)
class Passing:
    """Messages of one kind and text that nobody has to answer at once; one entry each."""

    kind: Kind
    text: str
    device: Indices
    time: Floats
    arrival: Floats
    value: Floats


@dataclass(frozen=True)
class FireList:
    """Incipient fires: venue, start in seconds, cause (number in ``FIRE_CAUSES``)."""

    venue: Indices
    time: Floats
    cause: Indices


@dataclass(frozen=True)
class Happenings:
    """Everything that will happen, unless a device is down by then."""

    changes: Changes
    signals: Signals
    fires: FireList
    passing: tuple[Passing, ...]
    false_flags: tuple[Indices, Floats, Floats]
    """Flags for lost heartbeats alone: device, the vendor's flag and unflag."""
    battery_s: Floats
    """From a fresh battery to its warning, per device; inf without a battery."""
    exchange: Floats
    """A uniform per device: whether its repair is an exchange."""


def annotation_of(cause: str) -> Annotation:
    """The class of 6.4 that a careful look gives an alarm of this cause."""
    if cause in FIRE_CAUSES:
        return Annotation.CONFIRMED_FIRE
    if cause in REAL_CAUSES:
        return Annotation.INCIPIENT_FIRE
    if cause == TEST:
        return Annotation.TEST
    fault = cause == EQUIPMENT or cause in FAULT_OR_UNEXPLAINED
    return Annotation.FALSE_FAULT if fault else Annotation.FALSE_NUISANCE


def sample_happenings(
    venues: Venues,
    fleet: Fleet,
    kinds: Mapping[str, DeviceKind],
    way: Way,
    cleaning_period_s: float,
    patience_s: float,
    streams: Streams,
    seconds: float,
) -> Happenings:
    """Samples a center's period.

    Parameters
    ----------
    venues, fleet, kinds, way : of the center.
    cleaning_period_s : between planned cleanings (8.1).
    patience_s : a flag that ends sooner than this after it began needs no visit.
    streams : the center's.
    seconds : the period.
    """
    period = DevicePeriod(seconds)
    frailty = site_frailty(len(venues.ids), streams)
    n = len(fleet.kind)
    battery_s = np.full(n, np.inf)
    exchange = np.empty(n)
    found: list[tuple[int, Occurrences]] = []
    fires = sample_fires(venues.fire_rate_per_year, streams, period)
    alarms = _Collected()
    for name, part in way.slices.items():
        kind = kinds[name]
        population = maintained_population(
            kind,
            fleet.venue[part],
            frailty,
            way.coverage[part],
            way.interval[part],
            streams,
            cleaning_interval_s=cleaning_period_s,
        )
        exchange[part] = streams.generator("exchange", name).random(population.size)
        if kind.battery_capacity_J is not None:
            life = battery_life_s(kind, way.interval[part], way.coverage[part])
            battery_s[part] = np.maximum(life - LOW_BATTERY_RESERVE_S, DAY_S)
        found += [(part.start, o) for o in sample(population, streams, period)]
        if kind.detects:
            _detect(alarms, fires.site, fires.round, fires.time, fires.cause, kind, fleet, part,
                    streams)  # fmt: skip
    for start, o in found:
        if o.what is Happening.ALARM:
            alarms.add(o.cause, o.device + start, o.time, dirt=o.value)
    changes, passing = _changes(found, way)
    _plan_periodic(changes, fleet, cleaning_period_s, streams, seconds)
    device, flag, unflag = way.false_flags
    known = way.at_platform(device, flag)
    visit = (unflag - known > patience_s) & ~way.flagged_in_outage(device, flag)
    heard = way.heard_after_outage(device[visit], unflag[visit])
    back = way.at_platform(device[visit], heard, back=True)
    cause = "heartbeats lost on the radio"
    changes.add(Change.FALSE_FLAG, cause, device[visit], known[visit], known[visit], back)
    return Happenings(
        changes=changes,
        signals=_signals(alarms, way, seconds),
        fires=FireList(
            fires.site.astype(np.int64), fires.time.astype(np.float64), fires.cause.astype(np.int64)
        ),
        passing=tuple(passing),
        false_flags=(device, flag, unflag),
        battery_s=battery_s,
        exchange=exchange,
    )


class _Collected:
    """Alarm signals of all kinds and causes, before they are put in order."""

    def __init__(self) -> None:
        self.causes: list[str] = []
        self.parts: list[tuple[int, Indices, Floats, Indices, Floats]] = []

    def add(
        self,
        cause: str,
        device: NDArray[np.integer],
        time: Floats,
        fire: int = -1,
        dirt: Floats | None = None,
    ) -> None:
        if cause not in self.causes:
            self.causes.append(cause)
        number = self.causes.index(cause)
        n = len(device)
        dirty = np.zeros(n) if dirt is None else dirt
        self.parts.append((number, device.astype(np.int64), time, np.full(n, fire), dirty))


def _detect(
    alarms: _Collected,
    venue: NDArray[np.integer],
    number: NDArray[np.integer],
    time: Floats,
    cause: NDArray[np.integer],
    kind: DeviceKind,
    fleet: Fleet,
    part: slice,
    streams: Streams,
) -> None:
    """Adds the alarms of one kind's devices in the venues that burn."""
    of_venue = fleet.venue[part]  # sorted by venue within a kind
    for fire in range(len(venue)):
        first, last = np.searchsorted(of_venue, [venue[fire], venue[fire] + 1])
        if first == last:
            continue
        luck = streams.generator("detection", kind.name, int(number[fire])).random(len(of_venue))
        delay = detection_delay_s(kind, int(cause[fire]), luck[first:last])
        detects = np.flatnonzero(np.isfinite(delay))
        if len(detects):
            device = part.start + first + detects
            at = time[fire] + delay[detects]
            alarms.add(FIRE_CAUSES[cause[fire]], device, at, fire)


def _signals(alarms: _Collected, way: Way, seconds: float) -> Signals:
    """All alarm signals with their repeats, and when each one arrives."""
    if not alarms.parts:
        none, zero = np.zeros(0), np.zeros(0, np.int64)
        return Signals(none, none, zero, zero, zero, zero.astype(np.int8), none, none, none,
                       ())  # fmt: skip
    cause = np.concatenate([np.full(len(p[1]), p[0]) for p in alarms.parts])
    device = np.concatenate([p[1] for p in alarms.parts])
    time = np.concatenate([p[2] for p in alarms.parts])
    fire = np.concatenate([p[3] for p in alarms.parts])
    dirt = np.concatenate([p[4] for p in alarms.parts])
    stays = way.luck(("stays",), device, _ranks(device, time), 1)[:, 0]
    first, last = REPEAT_AFTER_S
    rows, at = np.arange(len(device)), time
    all_rows, all_times = [rows], [time]
    for attempt in range(3):
        luck = way.luck(("repeat", str(attempt)), device[rows], _ranks(device[rows], at), 2)
        again = luck[:, 0] < REPEAT_SHARE
        rows, at = rows[again], at[again] + first + (last - first) * luck[again, 1]
        all_rows.append(rows)
        all_times.append(at)
    rows, time = np.concatenate(all_rows), np.concatenate(all_times)
    within = time < seconds
    rows, time = rows[within], time[within]
    device, cause, fire = device[rows], cause[rows], fire[rows]
    arrival, lost = way.event(("alarm",), device, time, _ranks(device, time))
    response = np.empty(len(device))
    for number, name in enumerate(alarms.causes):  # the device's n-th signal of this cause
        mine = np.flatnonzero(cause == number)
        ranks = _ranks(device[mine], time[mine])
        response[mine] = way.luck(("response", name), device[mine], ranks, 1)[:, 0]
    order = np.lexsort((device, time, arrival))
    return Signals(
        signalled=time[order],
        arrival=arrival[order],
        device=device[order],
        cause=cause[order],
        fire=fire[order],
        lost=lost[order],
        dirt=dirt[rows][order],
        luck=stays[rows][order],
        response=response[order],
        causes=tuple(alarms.causes),
    )


def _ranks(device: Indices, time: Floats) -> Indices:
    """For each happening, how many of its device came before."""
    order = np.lexsort((time, device))
    ranks = np.empty(len(device), np.int64)
    if len(device):
        sorted_device = device[order]
        first = np.searchsorted(sorted_device, sorted_device, side="left")
        ranks[order] = np.arange(len(device)) - first
    return ranks


def _changes(found: list[tuple[int, Occurrences]], way: Way) -> tuple[Changes, list[Passing]]:
    """What becomes of the devices, and messages that pass by, with the platform's times."""
    changes, passing = Changes(), []
    arrivals = _arrivals(found, way)
    for number, (start, o) in enumerate(found):
        if o.what is Happening.ALARM or len(o.device) == 0:
            continue
        device, time = o.device.astype(np.int64) + start, o.time
        until = np.full(len(device), np.inf) if o.until is None else o.until
        if o.what in PASSING:
            arrival = arrivals[number]
            value = np.full(len(device), np.nan) if o.value is None else o.value
            passing.append(Passing(PASSING[o.what], o.cause, device, time, arrival, value))
            if o.what is Happening.EARLY_WARNING or (
                o.what is Happening.SUPERVISORY and o.until is not None
            ):
                visit = ~np.isfinite(until)
                changes.add(Change.HAZARD, o.cause, device[visit], time[visit], arrival[visit])
        elif o.what in (Happening.FAULT, Happening.TAMPERED):
            what = Change.FAULT if o.what is Happening.FAULT else Change.TAMPERED
            known = np.minimum(arrivals[number], way.state_known(device, time))
            changes.add(what, o.cause or o.what.value, device, time, known)
        elif o.what in (Happening.DEAD, Happening.CUT_OFF):
            what = Change.DEAD if o.what is Happening.DEAD else Change.CUT_OFF
            flag, heard = way.vendor_flag(device, time), np.full(len(device), np.inf)
            heals = np.isfinite(until)
            waits = np.zeros(int(heals.sum()), bool)
            heard[heals] = way.vendor_unflag(device[heals], until[heals], waits)
            known = np.where(flag < heard, way.at_platform(device, flag), np.inf)
            heard[heals] = way.heard_again(device[heals], until[heals], waits)
            back = way.at_platform(device, heard, back=True)
            changes.add(what, o.cause or o.what.value, device, time, known, until, back)
        elif o.what is Happening.BATTERY_LOW:
            known = way.state_known(device, time)
            changes.add(Change.LOW_BATTERY, "low battery", device, time, known)
        elif o.what is Happening.CONTAMINATED:
            known = way.state_known(device, time)
            changes.add(Change.DIRTY, "contaminated", device, time, known)
        elif o.what is Happening.END_OF_LIFE:
            changes.add(Change.OLD, "end of life", device, time, time)
    return changes, passing


def _arrivals(found: list[tuple[int, Occurrences]], way: Way) -> dict[int, Floats]:
    """When the events among the occurrences reach the platform, by their position in the list."""
    alike: dict[tuple[str, str], list[int]] = {}
    for number, (_, o) in enumerate(found):
        if o.what in PASSING or o.what in (Happening.FAULT, Happening.TAMPERED):
            alike.setdefault((o.what.value, o.cause), []).append(number)
    arrivals: dict[int, Floats] = {}
    for name, numbers in alike.items():  # those of all kinds at once
        parts = [found[k] for k in numbers]
        device = np.concatenate([o.device.astype(np.int64) + start for start, o in parts])
        time = np.concatenate([o.time for _, o in parts])
        arrival, _ = way.event(name, device, time, np.concatenate([o.round for _, o in parts]))
        ends = np.cumsum([len(o.device) for _, o in parts])
        arrivals.update(zip(numbers, np.split(arrival, ends[:-1]), strict=True))
    return arrivals


def _plan_periodic(
    changes: Changes, fleet: Fleet, period_s: float, streams: Streams, seconds: float
) -> None:
    """Planned tests and cleanings (8.1): a venue's devices together, spread over the period.

    Each is entered for the venue's first point, on behalf of all of them.
    """
    points = np.flatnonzero(fleet.is_point)
    venue, first = np.unique(fleet.venue[points], return_index=True)
    venues = int(fleet.venue.max(initial=-1)) + 1
    time = streams.generator("periodic").random(venues)[venue] * period_s
    device = points[first]
    while np.any(time < seconds):
        due = time < seconds
        changes.add(Change.PERIODIC, "plan", device[due], time[due], time[due])
        time = time + period_s
