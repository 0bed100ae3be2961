"""One center's run: from sampled happenings through the center's people to its log.

    fires, happenings ─► way of the messages ─► condition ─► response, maintenance ─► log rows

What needs nobody goes straight into log columns; what needs somebody runs in SimPy.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import simpy
from simpy.events import Event

from devices import KIND_NAMES, DeviceKind, tunables
from twin.center.luck import LuckOfSignals
from twin.center.maintenance import Maintenance
from twin.center.people import People
from twin.center.response import Message, Response, Sites
from twin.center.roster import plan
from twin.center.settings import CenterSettings
from twin.center.spares import BATTERIES, Spares
from twin.log import Log, LogWriter
from twin.scenario import Scenario
from twin.streams import Streams
from twin.terms import Annotation, Category, Ticket
from twin.venues.build import Fleet, Venues
from twin.world.aftermath import write_aftermath
from twin.world.brigade import Brigades
from twin.world.condition import Condition
from twin.world.happenings import Happenings, annotation_of, sample_happenings
from twin.world.registry import Place, write_registry
from twin.world.way import Way
from twin.world.ways import Ways

YEAR_S = 365.25 * 86400.0

PROGRESS_EVERY_S = 7 * 86400.0
"""Simulated time between two signs of progress."""


@dataclass(frozen=True)
class CenterRun:
    """What a center's run leaves: its log, the SimPy events that were processed, its points."""

    log: Log
    events: int
    points: int


@contextmanager
def _without_collector() -> Iterator[None]:
    """Everything lives to the end of a run and is freed there: there is nothing to collect."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@_without_collector()
def run_center(
    scenario: Scenario,
    place: Place,
    ways: Ways,
    venues: Venues,
    fleet: Fleet,
    kinds: Mapping[str, DeviceKind],
    progress: Callable[[float], None] | None = None,
) -> CenterRun:
    """Simulates one center with its venues and devices.

    Parameters
    ----------
    scenario : the whole scenario; the center's own settings are those of ``place.name``.
    place, ways : where the center stands, and how its people get about.
    venues, fleet : of this center alone.
    kinds : the device kinds, with the scenario's numbers.
    progress : called with the share of the period that is done, now and then.
    """
    settings = scenario.centers[place.name]
    seconds = scenario.duration
    streams = Streams(scenario.seed).within(place.name)
    log = LogWriter(place.name, scenario.start_us)
    way = Way(
        scenario.network,
        list(scenario.vendors.values()),
        kinds,
        fleet.kind_slices,
        fleet.venue.astype(np.int64),
        fleet.gateway.astype(np.int64),
        (venues.x, venues.y),
        streams,
        seconds,
    )
    write_registry(log, scenario, place, venues, fleet, kinds, way)
    upkeep = settings.maintenance
    happenings = sample_happenings(
        venues, fleet, kinds, way, upkeep.period, upkeep.patience, streams, seconds
    )
    run = _Run(scenario, place, ways, venues, fleet, kinds, happenings, way, streams, log)
    events = run.simulate(progress)
    write_aftermath(
        log,
        scenario,
        place.name,
        venues,
        fleet,
        way,
        happenings,
        run.condition,
        run.maintenance.offline_jobs,
        run.maintenance.planned_work,
        streams,
    )
    run.release()
    finished = log.finish({"twin.scenario": scenario.toml()})
    return CenterRun(finished, events, fleet.points)


class _Run:
    """The people of one center at work, wired to what happens."""

    def __init__(
        self,
        scenario: Scenario,
        place: Place,
        ways: Ways,
        venues: Venues,
        fleet: Fleet,
        kinds: Mapping[str, DeviceKind],
        happenings: Happenings,
        way: Way,
        streams: Streams,
        log: LogWriter,
    ) -> None:
        settings = scenario.centers[place.name]
        self.seconds = scenario.duration
        self.happenings = happenings
        self.way = way
        self.venue_of: list[int] = fleet.venue.tolist()
        categories = [Category(kinds[name].category) for name in KIND_NAMES]
        self.category = [categories[k] for k in fleet.kind.tolist()]
        per_s = [_dirt_per_s(kinds[name]) for name in KIND_NAMES]
        self.dirt_per_s = [per_s[k] for k in fleet.kind.tolist()]
        self.env = env = simpy.Environment()
        stints, absences = plan(settings.roster, streams, self.seconds)
        self.people = people = People(env, log, settings, ways, stints, absences)
        self.condition = Condition(
            happenings.changes,
            way,
            way.registration.tolist(),
            happenings.battery_s.tolist(),
            way.gateway.tolist(),
            self.seconds,
        )
        place_of: list[int] = place.place_of.tolist()
        self.response = Response(
            env,
            log,
            settings,
            people,
            place.name,
            _sites(venues, place_of, settings, streams),
            fleet.ids,
            scenario.alarmcore.rules(),
            LuckOfSignals(happenings.signals.response),
            Brigades(place.engine_s, settings.helpers),
            self._device_at_fault,
        )
        stock = {name: part.stop - part.start for name, part in way.slices.items()}
        stock[BATTERIES] = int(np.isfinite(happenings.battery_s).sum())
        self.maintenance = Maintenance(
            env,
            log,
            settings.maintenance,
            people,
            fleet.ids,
            [KIND_NAMES[k] for k in fleet.kind.tolist()],
            self.venue_of,
            _points_of(fleet, len(venues.ids)),
            place_of,
            _squares(venues, settings.maintenance.place),
            self.condition,
            Spares(env, log, settings.spares, stock),
            happenings.exchange.tolist(),
            self._restored,
        )
        env.process(self._arrivals())

    def simulate(self, progress: Callable[[float], None] | None) -> int:
        """Runs to the end of the period; returns how many events were processed."""
        step = self.seconds if progress is None else PROGRESS_EVERY_S
        until = 0.0
        while until < self.seconds:
            until = min(until + step, self.seconds)
            self.env.run(until=until)
            if progress is not None:
                progress(until / self.seconds)
        self.response.cases.settle_all(self.seconds)
        self.maintenance.settle()
        return next(self.env._eid)

    def release(self) -> None:
        """Frees what the run was made of, at once.

        Its parts know each other in circles: the garbage collector would have to find them, which
        takes longer than to free them.
        """
        for part in (self.response.cases, self.response, self.maintenance, self.people, self):
            vars(part).clear()

    def _arrivals(self) -> Generator[Event, None, None]:
        """Hands every alarm message to the response at the time of its arrival."""
        env, signals = self.env, self.happenings.signals
        causes = [(cause, annotation_of(cause)) for cause in signals.causes]
        rows = zip(
            signals.arrival.tolist(),
            signals.signalled.tolist(),
            signals.device.tolist(),
            signals.cause.tolist(),
            signals.dirt.tolist(),
            signals.luck.tolist(),
            strict=True,
        )
        for number, (arrival, signalled, device, cause, dirt, luck) in enumerate(rows, start=1):
            if arrival >= self.seconds:
                return
            if arrival > env.now:
                yield env.timeout(arrival - env.now)
            unheard = self.condition.hears(device, signalled)
            if not unheard and dirt > 0.0 and self._avoided(device, signalled, dirt, luck):
                unheard = "clean"
            if unheard:
                self.condition.unheard[number - 1] = unheard
                continue
            word, annotation = causes[cause]
            message = Message(
                number,
                device,
                self.venue_of[device],
                self.category[device],
                word,
                annotation is Annotation.CONFIRMED_FIRE,
                annotation,
            )
            late = self.condition.arrival(device, signalled, arrival)
            if late > arrival:
                env.process(self._arrives(late, message))
            else:
                self.response.receive(message)

    def _arrives(self, at: float, message: Message) -> Generator[Event, None, None]:
        """A message that dead slaves of its bus have delayed."""
        yield self.env.timeout(at - self.env.now)
        self.response.receive(message)

    def _avoided(self, device: int, at: float, dirt: float, luck: float) -> bool:
        """Whether a cleaning has prevented a nuisance alarm that dirt would have caused.

        ``dirt`` is the rise of their rate; it gathers anew after a cleaning.
        """
        since = at - self.maintenance.cleaned_at(device)
        now_dirt = min(dirt, since * self.dirt_per_s[device])
        return bool(luck >= (1.0 + now_dirt) / (1.0 + dirt))

    # -- between the parts

    def _device_at_fault(self, device: int, now: float) -> None:
        """Somebody found that a device gives false alarms by itself: disabled until repaired."""
        self.response.disable(self.venue_of[device], device, "false alarms by its own fault")
        self.maintenance.open_ticket(device, Ticket.FAULT, now)

    def _restored(self, device: int) -> None:
        self.response.enable(self.venue_of[device], device)


def _dirt_per_s(kind: DeviceKind) -> float:
    """How fast dirt raises a kind's rate of nuisance alarms, as a share of it per second."""
    gain = tunables(kind).get("contamination_gain")
    return 0.0 if gain is None else gain.value / (kind.soiling_years * YEAR_S)


def _sites(
    venues: Venues, place_of: list[int], settings: CenterSettings, streams: Streams
) -> Sites:
    """The venues, as the response sees them."""
    by_kind = venues.answer.tolist()

    def share(name: str, of_venues: float) -> list[bool]:
        has: list[bool] = (streams.generator(name).random(len(venues.ids)) < of_venues).tolist()
        return has

    return Sites(
        venues.ids,
        place_of,
        venues.responsible.tolist(),
        venues.video.tolist(),
        share("reachable", 1.0 - settings.response.unreachable),
        share("grid_worker", settings.helpers.grid_share),
        share("micro_fire_station", settings.helpers.micro_share),
        [by_kind[kind] for kind in venues.kind.tolist()],
    )


def _points_of(fleet: Fleet, venues: int) -> list[list[int]]:
    """The networked points of each venue."""
    points = np.flatnonzero(fleet.is_point)
    ordered = points[np.argsort(fleet.venue[points], kind="stable")].tolist()
    ends = np.cumsum(np.bincount(fleet.venue[points], minlength=venues)).tolist()
    return [ordered[first:last] for first, last in pairwise([0, *ends])]


def _squares(venues: Venues, side: float) -> list[int]:
    """The square of the map in which each venue lies, as a number."""
    column = np.floor(venues.x / side).astype(np.int64)
    row = np.floor(venues.y / side).astype(np.int64)
    squares: list[int] = np.unique(column * 1_000_003 + row, return_inverse=True)[1].tolist()
    return squares
