"""Figures of the devices: online rate, availability, fault rate (clauses 3.3, 3.5, 3.6, 4.7)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.kpi.rates import availability_rate, fault_rate, online_rate
from twin.kpi.rows import Intervals, Rows, clip_to, intervals, steps, union
from twin.log import MICROSECONDS, LogError
from twin.standard import ONLINE_RATE, YEAR_S
from twin.terms import Kind, View

NAN = float("nan")


@dataclass(frozen=True)
class Registry:
    """The devices of a center, in the order of their subject codes.

    Attributes
    ----------
    code : (n,) subject codes; networked : (n,) True for networked points (5.1.12).
    kind : (n,) numbers into ``kinds``; fire : (n,) True where the category is ``fire``.
    conforms : (n,) 1, 0, or -1 where the log does not say (4.10).
    years : (n,) how long each was there, in years.
    present : when each was there.
    """

    code: NDArray[np.int64]
    networked: NDArray[np.bool_]
    kind: NDArray[np.intp]
    kinds: tuple[str, ...]
    fire: NDArray[np.bool_]
    conforms: NDArray[np.int8]
    years: NDArray[np.float64]
    present: Intervals

    def __len__(self) -> int:
        return len(self.code)

    def place(self, code: NDArray[np.integer]) -> NDArray[np.intp]:
        """The positions of these subject codes, -1 for those that are no device."""
        if not len(self.code):
            return np.full(len(code), -1, np.intp)
        found = np.clip(np.searchsorted(self.code, code), 0, len(self.code) - 1)
        return np.where(self.code[found] == code, found, -1)


def registry(rows: Rows) -> Registry:
    """The devices that the log registers.

    Raises
    ------
    LogError
        A DEVICE row whose text is not the JSON object of the log's contract.
    """
    log = rows.log
    at = rows.at(Kind.DEVICE)
    present = intervals(rows, at, rows.at(Kind.DEVICE_REMOVED))
    # A device that changed has a row for each change: the last one counts.
    code, last = np.unique(log.subject.codes[at][::-1], return_index=True)
    at = at[len(at) - 1 - last]
    used, which = np.unique(log.text.codes[at], return_inverse=True)
    facts = json_facts(
        [log.text.words[word] for word in used.tolist()],
        "device",
        "kind, category, venue, vendor and conforms",
    )
    names = [str(fact.get("kind", "")) for fact in facts]
    kinds = tuple(sorted(set(names)))
    number = {kind: place for place, kind in enumerate(kinds)}
    kind = np.fromiter(map(number.__getitem__, names), np.intp, len(names))
    fire = np.array([fact.get("category") == "fire" for fact in facts], bool)
    stated = [int(bool(fact["conforms"])) if "conforms" in fact else -1 for fact in facts]
    conforms = np.array(stated, np.int8)
    years = np.bincount(
        np.searchsorted(code, present.key),
        (present.end_us - present.start_us) / (YEAR_S * MICROSECONDS),
        len(code),
    ).astype(np.float64)
    return Registry(
        code.astype(np.int64),
        log.value[at] > 0,
        kind[which],
        kinds,
        fire[which],
        conforms[which],
        years,
        present,
    )


def json_facts(texts: list[str], kind: str, keys: str) -> list[Mapping[str, object]]:
    """The JSON objects of the texts of registry rows; read in one go, three times as fast.

    Raises
    ------
    LogError
        For a text that is no JSON object; ``kind`` and ``keys`` say what was expected.
    """
    try:
        facts: list[Mapping[str, object]] = json.loads(f"[{','.join(texts)}]")
    except json.JSONDecodeError:
        facts = []
    if len(facts) == len(texts) and all(isinstance(fact, dict) for fact in facts):
        return facts
    for text in texts:
        try:
            good = isinstance(json.loads(text), dict)
        except json.JSONDecodeError:
            good = False
        if not good:
            raise LogError(
                f"a {kind} row's text is {text!r}; a JSON object with {keys} is expected"
            )
    raise LogError(f"the texts of the {kind} rows are not one JSON object each")


@dataclass(frozen=True)
class RateOverTime:
    """An instantaneous rate over the period.

    Attributes
    ----------
    mean : time-weighted; months : the same by calendar month (NaN without devices).
    minimum : the least at any instant; worst_month : the least monthly mean.
    time_at_least : share of the time in which the rate was at least the standard's 99 %.
    """

    mean: float
    months: tuple[float, ...]
    minimum: float
    worst_month: float
    time_at_least: float


def over_time(rows: Rows, present: Intervals, out: Intervals, *, online: bool) -> RateOverTime:
    """How a share of devices that are *not* out developed.

    Parameters
    ----------
    present : when devices were there; out : when they were out, within ``present``.
    online : whether it is the online rate (3.3) or the availability (3.5).
    """
    period = rows.period
    step = steps(period, present, out)
    there, gone = step.counts
    some = there > 0
    if not some.any():
        return RateOverTime(NAN, (NAN,) * len(period.months), NAN, NAN, NAN)
    rate = (online_rate if online else availability_rate)(gone[some], there[some])
    seconds, month = step.seconds[some], step.month[some]
    weight = np.bincount(month, seconds, len(period.months))
    total = np.bincount(month, seconds * rate, len(period.months))
    months = np.divide(total, weight, out=np.full(len(weight), NAN), where=weight > 0)
    enough = gone[some] <= there[some] * (1 - ONLINE_RATE) + 1e-9  # counts: no rounding at 99 %
    return RateOverTime(
        float(total.sum() / weight.sum()),
        tuple(months.tolist()),
        float(rate.min()),
        float(np.nanmin(months)),
        float(seconds[enough].sum() / weight.sum()),
    )


@dataclass(frozen=True)
class KindRate:
    """A yearly rate of one device kind: events, device-years, events per device-year."""

    kind: str
    count: int
    device_years: float
    rate: float


@dataclass(frozen=True)
class DeviceKpis:
    """Figures of the devices.

    Attributes
    ----------
    components : devices at the end of the period, gateways included.
    points : most networked points at any time (5.1.12).
    online, availability : by view; ``platform`` is what the standard means, the others beside it.
    stated : whether the log has offline rows at all, by view.
    faults : fault rate by kind, as the platform was told (3.6); faults_true : in truth.
    conforming, not_conforming : devices that state whether they conform (4.10).
    unregistered : devices with state rows that the registry lacks; they are not counted.
    """

    components: int
    points: int
    online: Mapping[View, RateOverTime]
    availability: Mapping[View, RateOverTime]
    stated: Mapping[View, bool]
    faults: tuple[KindRate, ...]
    faults_true: tuple[KindRate, ...]
    conforming: int
    not_conforming: int
    unregistered: int


def by_kind(
    devices: Registry, codes: NDArray[np.integer], *, fire_only: bool = False
) -> tuple[KindRate, ...]:
    """Events per device-year of each kind that there is; ``codes`` are the events' devices."""
    place = devices.place(codes)
    known = devices.kind[place[place >= 0]]
    count = np.bincount(known, minlength=len(devices.kinds))
    wanted = devices.fire if fire_only else np.ones(len(devices), bool)
    years = np.bincount(devices.kind[wanted], devices.years[wanted], len(devices.kinds))
    rate = fault_rate  # events per device-year, as 3.4
    return tuple(
        KindRate(kind, int(n), float(y), float(rate(float(n), float(y))))
        for kind, n, y in zip(devices.kinds, count, years, strict=True)
        if y > 0
    )


def state(rows: Rows, begin: Kind, end: Kind, view: View) -> Intervals:
    """When devices were in a state, in a view, whether registered or not."""
    return intervals(rows, rows.at(begin, view=view), rows.at(end, view=view))


def device_kpis(
    rows: Rows, devices: Registry, offline: Intervals, disabled: Intervals
) -> DeviceKpis:
    """The figures of the devices.

    Parameters
    ----------
    offline, disabled : the platform's states, from :func:`state`.
    """
    present = devices.present
    online: dict[View, RateOverTime] = {}
    availability: dict[View, RateOverTime] = {}
    stated: dict[View, bool] = {}
    disabled_there = clip_to(disabled, present)
    for view in View:
        flags = offline if view is View.PLATFORM else state(rows, Kind.OFFLINE, Kind.ONLINE, view)
        out = clip_to(flags, present)
        stated[view] = len(flags) > 0
        online[view] = over_time(rows, present, out, online=True)
        if view is View.VENDOR:
            continue  # a vendor platform tells of no faults or disablements of its own
        faulty = clip_to(state(rows, Kind.FAULT, Kind.FAULT_CLEARED, view), present)
        down = union(out, faulty, disabled_there)
        availability[view] = over_time(rows, present, down, online=False)
    points = devices.networked[devices.place(present.key)]
    log = rows.log
    faults, faults_true = (
        log.subject.codes[rows.at(Kind.FAULT, view=view)] for view in (View.PLATFORM, View.TRUTH)
    )
    states = rows.at(Kind.OFFLINE, Kind.FAULT, Kind.DISABLED)
    named = np.flatnonzero(np.bincount(log.subject.codes[states]))
    there = steps(rows.period, present, present[points]).counts
    return DeviceKpis(
        components=int(there[0][-1]),
        points=int(there[1].max()),
        online=online,
        availability=availability,
        stated=stated,
        faults=by_kind(devices, faults),
        faults_true=by_kind(devices, faults_true),
        conforming=int((devices.conforms == 1).sum()),
        not_conforming=int((devices.conforms == 0).sum()),
        unregistered=int((devices.place(named) < 0).sum()),
    )
