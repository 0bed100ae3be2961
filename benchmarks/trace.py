"""What the reference model is fed: a center's world as plain Python records.

In a *trace* the arrivals and service times are those of the fast model: its sampled happenings,
the network's fate of each telegram, its heartbeats lost by the radio, its roster and its luck of
the responses. Everything that follows from them (flags, pushes, pulls, tickets, trips, alarms) is
left to whoever runs the trace. With ``own`` draws, heartbeats, pushes, receipts, calls and
absences are drawn afresh by the plain generators of the standard library.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from math import floor, inf, log1p
from typing import Any

import numpy as np

from devices import KIND_NAMES, KINDS, DeviceKind, tunables, with_overrides
from twin.center.luck import FIELDS, PEOPLE, LuckOfSignals
from twin.center.roster import Absence, Stint, plan
from twin.center.settings import CenterSettings
from twin.roads.load import load_roads
from twin.roads.travel import TravelTimes
from twin.scenario import Scenario
from twin.streams import Streams, uniform_at
from twin.venues.build import Fleet, Venues, build_venues
from twin.world.brigade import Brigades
from twin.world.happenings import Happenings, sample_happenings
from twin.world.registry import Place
from twin.world.surroundings import NBIOT, RS485
from twin.world.way import LOST, Way
from twin.world.ways import Ways

YEAR_S = 365.25 * 86400.0

wiring = import_module("twin.world.simulate")  # the package's name for it is the function


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to a device; ``what`` is the name of the fast model's change."""

    time: float
    what: str
    cause: str
    until: float
    arrival: float


@dataclass(frozen=True, slots=True)
class Signal:
    """An alarm signal; ``arrival`` is when its telegram reaches the platform, inf: never."""

    time: float
    number: int
    arrival: float
    cause: str
    fire: int
    lost: str
    dirt: float
    luck: float


@dataclass(frozen=True, slots=True)
class Word:
    """A message that nobody has to answer at once."""

    time: float
    kind: Any
    text: str
    value: float
    arrival: float


class Beats:
    """Numbers of the heartbeats that the radio loses, drawn one by one."""

    def __init__(self, loss: float, rng: random.Random) -> None:
        self.loss = loss
        self.random = rng.random

    def __contains__(self, number: object) -> bool:
        return self.random() < self.loss


@dataclass(slots=True)
class DeviceFacts:
    """What is known of a device beforehand. Times in s."""

    number: int
    id: str
    kind: str
    venue: int
    vendor: int
    gateway: int
    phase: float
    interval: float
    pushes: int
    """The key of the luck of its pushes."""
    turn: float
    """When in a round its host asks it, as a share of the round."""
    registration: float
    nbiot: bool
    wired: bool
    mains: bool
    backup: float
    cell: int
    feeder: int
    battery: float
    exchange: float
    dirt_per_s: float
    """By what share of it dirt raises the rate of nuisance alarms in a second."""
    lost: set[int] | Beats
    short: dict[int, float] = field(default_factory=dict)
    """For a run of lost heartbeats, by its first: when the vendor hears the device again."""
    runs: list[tuple[int, int]] = field(default_factory=list)
    """Runs of lost heartbeats: the first, and the next that is heard."""
    events: list[Event] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)


Spans = dict[int, list[tuple[float, float]]]


@dataclass
class Trace:
    """A center and everything that comes to it from outside."""

    scenario: Scenario
    settings: CenterSettings
    place: Place
    ways: Ways
    venues: Venues
    fleet: Fleet
    way: Way
    happenings: Happenings
    devices: list[DeviceFacts]
    cells: Spans
    feeders: Spans
    uplinks: Spans
    vendor_outages: Spans
    back: dict[tuple[int, int, float], float]
    """When a device can report again: by device, cause of the outage and its start."""
    points_of: list[list[int]]
    squares: list[int]
    stints: list[Stint]
    absences: list[Absence]
    luck: Any
    brigade: Brigades
    kinds: Mapping[str, DeviceKind]
    reachable: list[bool]
    """Whether a venue's registered numbers are right."""
    grid: list[bool]
    micro: list[bool]
    """Whether a grid worker, a micro fire station are near a venue."""
    rng: random.Random | None
    """For own draws; None: the trace decides."""

    def push(self, d: DeviceFacts, now: float, back: bool) -> tuple[bool, float]:
        """Whether a push is lost, and its delay: two for what happens after each heartbeat."""
        vendor = list(self.scenario.vendors.values())[d.vendor]
        if self.rng is not None:
            lost, delay = self.rng.random(), self.rng.random()
        else:
            number = 2 * floor((now - d.phase) / d.interval + 1e-6) + back
            delay, lost = (uniform_at(d.pushes, 3 * number + k) for k in range(2))
        return lost < vendor.push_loss, -log1p(-delay) * vendor.push_delay


def job_of(scenario: Scenario) -> tuple[Any, ...]:
    """What the fast model's run of the only center of a scenario takes."""
    network = load_roads(scenario.roads)
    travel = TravelTimes(network, scenario.roads)
    kinds = with_overrides(KINDS, scenario.devices)
    venues, fleet = build_venues(scenario.venues, network, Streams(scenario.seed).within("venues"))
    sites = wiring._sites(scenario, network)
    areas = wiring._areas(scenario, network, sites)
    (name,) = scenario.centers
    place, ways = wiring._place(scenario, network, travel, name, sites[name], areas[name], venues)
    return scenario, place, ways, venues, fleet, kinds


def trace_of(job: Sequence[Any], own: int | None = None) -> Trace:
    """The trace of a center's job; with ``own``, draws of that seed instead."""
    scenario, place, ways, venues, fleet, kinds = job
    settings = scenario.centers[place.name]
    seed = scenario.seed if own is None else 1_000_003 + own
    rng = None if own is None else random.Random(own)
    streams = Streams(seed).within(place.name)
    way = Way(
        scenario.network, list(scenario.vendors.values()), kinds, fleet.kind_slices,
        fleet.venue.astype(np.int64), fleet.gateway.astype(np.int64), (venues.x, venues.y),
        streams, scenario.duration,
    )  # fmt: skip
    upkeep = settings.maintenance
    happenings = sample_happenings(
        venues, fleet, kinds, way, upkeep.period, upkeep.patience, streams, scenario.duration
    )
    stints, absences = plan(settings.roster, streams, scenario.duration)

    def near(name: str, share: float) -> list[bool]:
        has: list[bool] = (streams.generator(name).random(len(venues.ids)) < share).tolist()
        return has

    trace = Trace(
        scenario, settings, place, ways, venues, fleet, way, happenings,
        _devices(fleet, kinds, way, happenings, rng),
        _spans(way.around.cells), _spans(way.around.feeders), _spans(way.around.uplinks),
        _spans(way.vendor_outages),
        _back(way), [[] for _ in venues.ids], _squares(venues, upkeep.place),
        stints, absences,
        LuckOfSignals(happenings.signals.response) if rng is None else OwnLuck(rng),
        Brigades(place.engine_s, settings.helpers),
        kinds,
        near("reachable", 1.0 - settings.response.unreachable),
        near("grid_worker", settings.helpers.grid_share),
        near("micro_fire_station", settings.helpers.micro_share), rng,
    )  # fmt: skip
    for number, is_point in enumerate(fleet.is_point.tolist()):
        if is_point:
            trace.points_of[int(fleet.venue[number])].append(number)
    _fill(trace)
    return trace


class OwnLuck:
    """Luck of the responses from the standard library's generator."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def of(self, message: int) -> Any:
        """The luck of whatever message comes next."""
        from twin.center.luck import Luck

        del message
        draws = [self.rng.random() for _ in range(len(FIELDS) + 5 * PEOPLE)]
        return Luck(draws, [self.rng.gauss(0.0, 1.0), self.rng.gauss(0.0, 1.0)])


def _spans(outages: Any) -> Spans:
    spans: Spans = defaultdict(list)
    for entity, start, end in zip(
        outages.entity.tolist(), outages.start.tolist(), outages.end.tolist(), strict=True
    ):
        spans[entity].append((start, end))
    return spans


def _back(way: Way) -> dict[tuple[int, int, float], float]:
    area = way.area
    keys = zip(area.device.tolist(), area.cause.tolist(), area.start.tolist(), strict=True)
    return dict(zip(keys, area.end.tolist(), strict=True))


def _squares(venues: Venues, side: float) -> list[int]:
    squares: dict[tuple[int, int], int] = {}
    return [
        squares.setdefault((floor(x / side), floor(y / side)), len(squares))
        for x, y in zip(venues.x.tolist(), venues.y.tolist(), strict=True)
    ]


def _devices(
    fleet: Fleet,
    kinds: Any,
    way: Way,
    happenings: Happenings,
    rng: random.Random | None,
) -> list[DeviceFacts]:
    names = [KIND_NAMES[k] for k in fleet.kind.tolist()]
    loss = [1.0 - level for level in way.network.nbiot.delivery.levels]
    found = []
    for n, name in enumerate(names):
        nbiot = bool(way.link[n] == NBIOT)
        chance = loss[int(way.coverage[n])] if nbiot else 0.0
        found.append(
            DeviceFacts(
                n, fleet.ids[n], name, int(fleet.venue[n]), int(way.vendor[n]),
                int(fleet.gateway[n]), float(way.phase[n]), float(way.interval[n]),
                int(way.keys[n]), float(way.bus.turn[n]), float(way.registration[n]),
                nbiot, bool(way.link[n] == RS485), bool(way.mains[n]), float(way.around.backup[n]),
                int(way.around.cell[n]), int(way.around.feeder[n]), float(happenings.battery_s[n]),
                float(happenings.exchange[n]), _dirt_per_s(kinds[name]),
                Beats(chance, rng) if rng is not None and chance > 0.0 else set(),
            )
        )  # fmt: skip
    return found


def _dirt_per_s(kind: DeviceKind) -> float:
    gain = tunables(kind).get("contamination_gain")
    return 0.0 if gain is None else gain.value / (kind.soiling_years * YEAR_S)


def _fill(trace: Trace) -> None:
    """Hands every device its happenings, signals, messages and lost heartbeats."""
    from twin.world.condition import Change

    devices, happenings, changes = trace.devices, trace.happenings, trace.happenings.changes
    for parts in zip(changes.time, changes.device, changes.what, changes.known, changes.until,
                     changes.cause, strict=True):  # fmt: skip
        for time, device, what, known, until, cause in zip(
            *(part.tolist() for part in parts), strict=True
        ):
            name = Change(what).name
            if name != "FALSE_FLAG":
                event = Event(time, name, changes.causes[cause], until, known)
                devices[device].events.append(event)
    s = happenings.signals
    for number, (time, arrival, device, cause, fire, lost, dirt, luck) in enumerate(
        zip(*(column.tolist() for column in (s.signalled, s.arrival, s.device, s.cause, s.fire,
                                             s.lost, s.dirt, s.luck)), strict=True), start=1
    ):  # fmt: skip
        signal = Signal(time, number, arrival, s.causes[cause], fire, LOST[lost], dirt, luck)
        devices[device].signals.append(signal)
    for part in happenings.passing:
        for device, time, arrival, value in zip(
            *(c.tolist() for c in (part.device, part.time, part.arrival, part.value)), strict=True
        ):
            devices[device].words.append(Word(time, part.kind, part.text, value, arrival))
    for d in devices:
        d.events.sort(key=lambda e: e.time)
        d.signals.sort(key=lambda e: e.time)
        d.words.sort(key=lambda e: e.time)
    if trace.rng is None:
        for device, flag, unflag in zip(
            *(column.tolist() for column in trace.way.false_flags), strict=True
        ):
            _lose(trace, devices[device], flag, unflag)
        _lose_single(trace)


def _counts(trace: Trace, d: DeviceFacts) -> Callable[[int], bool]:
    """Whether a heartbeat, by its number, is due while the vendor is up."""
    outages = trace.vendor_outages.get(d.vendor, [])
    starts = [start for start, _ in outages]

    def counts(number: int) -> bool:
        time = d.phase + number * d.interval
        i = bisect_left(starts, time + 1e-6) - 1
        return i < 0 or time >= outages[i][1] - 1e-6

    return counts


def _lose(trace: Trace, d: DeviceFacts, flag: float, unflag: float) -> None:
    """Loses the heartbeats that make the vendor flag a device, and those up to the next heard."""
    vendor = list(trace.scenario.vendors.values())[d.vendor]
    counts = _counts(trace, d)
    heard = round((unflag - d.phase) / d.interval)
    last = floor((flag - vendor.grace - d.phase) / d.interval + 1e-6)
    run: list[int] = []
    number = last
    while len(run) < vendor.missed_heartbeats:
        if counts(number):
            run.append(number)
        number -= 1
    assert isinstance(d.lost, set)
    d.lost.update(run)
    d.lost.update(range(last + 1, heard))
    d.short[run[-1]] = unflag
    d.runs.append((run[-1], heard))


def _lose_single(trace: Trace) -> None:
    """Loses the heartbeats that flag nobody by themselves, only beside an outage.

    Of as many in a row as would flag, only the last ones: such runs have their own samples.
    """
    way, vendors = trace.way, list(trace.scenario.vendors.values())
    lossy = np.flatnonzero(way.loss > 0.0)
    lost: dict[int, list[int]] = defaultdict(list)
    for number in range(int(trace.scenario.duration / way.interval[lossy].min(initial=inf)) + 1):
        beat = way.phase[lossy] + number * way.interval[lossy]
        for device in lossy[way.beat_lost(lossy, beat)].tolist():
            lost[device].append(number)
    for device, numbers in lost.items():
        d = trace.devices[device]
        assert isinstance(d.lost, set)
        counts, missed = _counts(trace, d), vendors[d.vendor].missed_heartbeats
        runs = {n for first, heard in d.runs for n in range(first, heard)}
        single = {n for n in numbers if counts(n) and n not in runs}
        for number in sorted(single, reverse=True):
            later, row = number + 1, 0
            while row < missed and (later in d.lost or not counts(later)):
                row += later in d.lost
                later += 1
            if row < missed - 1:
                d.lost.add(number)
