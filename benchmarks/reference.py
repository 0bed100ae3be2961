"""The same world in plain SimPy: one process per device, one event per heartbeat.

    device ──heartbeat──► vendor platform ──push, pull──► platform ──ticket──► center
       └─────alarm, fault report (the network's fate is in the trace)────────────►

Every device sends its heartbeats one by one; the vendor counts the missing ones, waits for the
grace and flags; flags are pushed at once and found by pulls. Nothing is worked out beforehand and
nothing is read twice: a row is written when it happens. The people are in
:mod:`benchmarks.reference_center`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, nan
from typing import Any

import simpy

from benchmarks.reference_center import Center
from benchmarks.reference_vendor import Device, Process, Vendor
from benchmarks.trace import Event, Signal, Trace, Word
from twin.log import Log, LogWriter
from twin.network.rs485 import poll_cycle_s, silent_poll_s
from twin.terms import Kind, Ticket, View
from twin.world.aftermath import MISSED_AFTER_S
from twin.world.condition import BATTERY_EMPTY, LOW_BATTERY_RESERVE_S
from twin.world.registry import write_registry
from twin.world.surroundings import AREA_CAUSES

GATEWAY_OFFLINE = "gateway offline"


class World:
    """All devices of a center, their surroundings, and the platform's belief."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.env = simpy.Environment()
        self.log = LogWriter(trace.place.name, trace.scenario.start_us)
        write_registry(
            self.log, trace.scenario, trace.place, trace.venues, trace.fleet, trace.kinds, trace.way
        )
        self.devices = [Device(facts) for facts in trace.devices]
        self.vendors = [Vendor(self, n) for n in range(len(trace.scenario.vendors))]
        self.fires: dict[int, list[str]] = {}
        for device in self.devices:
            if device.facts.gateway >= 0:
                device.host = self.devices[device.facts.gateway]
                device.host.slaves.append(device)
        self.center = Center(self.env, self.log, trace, self)
        for device in self.devices:
            self.env.process(self.heartbeats(device))
            facts = device.facts
            if facts.events:
                self.env.process(self.fate(device, facts.events, self.happens))
            if facts.signals:
                self.env.process(self.fate(device, facts.signals, self.signals))
            if facts.words:
                self.env.process(self.fate(device, facts.words, self.says))
        self.surroundings()

    # -- rows -----------------------------------------------------------------------------------

    def row(self, kind: Kind, device: Device, view: View, text: str = "", value: float = nan,
            message: int = 0) -> None:  # fmt: skip
        """A row about a device, now."""
        self.log.row(
            self.env.now, kind, device.facts.id, view=view, text=text, value=value, message=message
        )

    def truth(self, kind: Kind, subject: str, text: str = "", value: float = nan) -> None:
        """A row about something else that is true."""
        self.log.row(self.env.now, kind, subject, view=View.TRUTH, text=text, value=value)

    # -- devices --------------------------------------------------------------------------------

    def heartbeats(self, device: Device) -> Process:
        """Sends a device's heartbeats; the vendor notices those that do not come."""
        env, facts, vendor = self.env, device.facts, self.vendors[device.facts.vendor]
        timeout, phase, interval, lost = env.timeout, facts.phase, facts.interval, facts.lost
        number = 0
        yield timeout(phase)
        while True:
            device.beats = number = number + 1
            if vendor.up:
                if device.silent or number - 1 in lost:
                    vendor.misses(device)
                elif device.missed or device.news:
                    vendor.hears(device)
            yield timeout(phase + number * interval - env.now)

    def fate(self, device: Device, events: list[Any], happens: Callable[..., None]) -> Process:
        """Lets happen what the trace has in store for a device."""
        for event in events:
            yield self.env.timeout(event.time - self.env.now)
            happens(device, event)

    def happens(self, device: Device, event: Event) -> None:
        """What becomes of a device; one that is dead suffers nothing else."""
        now, what = self.env.now, event.what
        if device.dead_since < inf and what != "PERIODIC":
            return
        if what in ("FAULT", "TAMPERED"):
            self.dies(device, event.cause)
            arrival = event.arrival + self.bus_wait(device)
            self.after(arrival, self.fault_report, device, now, event.cause)
        elif what == "DEAD":
            self.dies(device, event.cause)
            self.cut(device, event.cause)
        elif what == "CUT_OFF":
            cut = self.cut(device, event.cause)
            if event.until < inf:
                self.after(event.until, self.heals, device, cut)
        elif what == "LOW_BATTERY":
            self.low_battery(device)
        elif what == "DIRTY":
            device.news[Ticket.CLEANING] = now
        elif what == "OLD":
            self.center.open_ticket(device, Ticket.END_OF_LIFE)
        elif what == "HAZARD":
            self.after(event.arrival + self.bus_wait(device), self.looked_into, device, now)
        else:
            self.center.open_ticket(device, Ticket.PERIODIC)

    def after(self, time: float, then: Callable[..., None], *args: Any) -> None:
        """Calls something at a time, inf: never."""
        if time < inf:
            self.env.process(self.later(time, then, args))

    def later(self, time: float, then: Callable[..., None], args: tuple[Any, ...]) -> Process:
        """The process behind :meth:`after`."""
        yield self.env.timeout(max(time - self.env.now, 0.0))
        then(*args)

    def dies(self, device: Device, cause: str) -> None:
        """The device detects nothing any more."""
        device.dead_since, device.dead_cause = self.env.now, cause
        self.row(Kind.FAULT, device, View.TRUTH, cause)

    def cut(self, device: Device, cause: str) -> tuple[float, str]:
        """The device itself cannot report, and with it what hangs on it."""
        cut = (self.env.now, cause)
        device.cuts.append(cut)
        device.kept = True
        self.silence(device)
        if len(device.cuts) == 1:
            for slave in device.slaves:
                slave.area.append(GATEWAY_OFFLINE)
                slave.kept = True
                self.silence(slave)
        if device.host is not None:
            dead = sum(bool(other.cuts) for other in device.host.slaves if other is not device)
            self.env.process(self.found_dead(device, dead, lambda: cut in device.cuts))
        return cut

    def heals(self, device: Device, cut: tuple[float, str]) -> None:
        """A loss of coverage ends by itself."""
        if cut in device.cuts:
            device.cuts.remove(cut)
            self.silence(device)
            if not device.cuts:
                for slave in device.slaves:
                    slave.area.remove(GATEWAY_OFFLINE)
                    self.silence(slave)

    # -- the bus of a host ------------------------------------------------------------------------

    def round_s(self, host: Device, dead: int) -> float:
        """A round over the slaves of a host, so many of them dead."""
        bus = self.trace.scenario.network.rs485
        return poll_cycle_s(
            len(host.slaves), bus.registers, bus.baud, bus.bits_per_character, bus.answer,
            dead, bus.timeout, bus.tries,
        )  # fmt: skip

    def until_asked(self, slave: Device, dead: int) -> float:
        """Seconds until a slave's turn; the host's rounds go on and on from the start."""
        assert slave.host is not None
        done = self.env.now / self.round_s(slave.host, 0) % 1.0
        return (slave.facts.turn - done) % 1.0 * self.round_s(slave.host, dead)

    def bus_wait(self, device: Device) -> float:
        """How much later a telegram is read because other slaves of its bus are dead."""
        host = device.host
        if host is None or host.area:
            return 0.0
        dead = sum(bool(other.cuts) for other in host.slaves if other is not device)
        return self.until_asked(device, dead) - self.until_asked(device, 0)

    def found_dead(self, slave: Device, others: int, still: Callable[[], bool]) -> Process:
        """A host asks a slave in vain, and says so as soon as it can."""
        network, host, vendor = (
            self.trace.scenario.network, slave.host, self.vendors[slave.facts.vendor]
        )  # fmt: skip
        assert host is not None
        bus, asked = network.rs485, self.until_asked(slave, others)
        tried = silent_poll_s(bus.baud, bus.bits_per_character, bus.timeout, bus.tries)
        yield self.env.timeout(asked + tried)
        while host.silent:
            if host.speaks is None:
                host.speaks = self.env.event()
            yield host.speaks
        yield self.env.timeout(network.uplink.latency)
        while not vendor.up:
            yield vendor.back
        if still():
            vendor.host_says_dead(slave)

    def silence(self, device: Device) -> None:
        """The reasons have changed for which no report gets out."""
        offline = bool(device.cuts or device.area)
        device.silent = offline or device.registering
        if not device.silent and device.speaks is not None:
            device.speaks.succeed()
            device.speaks = None
        if offline != device.offline:
            device.offline = offline
            if offline:
                cause = device.cuts[0][1] if device.cuts else device.area[0]
                self.row(Kind.OFFLINE, device, View.TRUTH, cause)
            else:
                self.row(Kind.ONLINE, device, View.TRUTH)

    def low_battery(self, device: Device) -> None:
        """The battery warns; a month later it is empty."""
        if device.low_since < inf:
            return
        device.low_since = now = self.env.now
        device.news[Ticket.BATTERY] = now
        self.row(Kind.LOW_BATTERY, device, View.TRUTH)
        self.after(now + LOW_BATTERY_RESERVE_S, self.battery_empty, device, now)

    def battery_empty(self, device: Device, since: float) -> None:
        """Nobody came in time."""
        if device.low_since == since:
            if device.dead_since == inf:
                self.dies(device, BATTERY_EMPTY)
            self.cut(device, BATTERY_EMPTY)

    def fault_report(self, device: Device, since: float, cause: str) -> None:
        """The device's own report of its fault arrives, or waits until it can report."""
        if device.mute:
            device.news[Ticket.FAULT] = since
        elif device.dead_since == since:
            self.row(Kind.FAULT, device, View.PLATFORM, cause)
            device.believed_fault = True
            self.center.open_ticket(device, Ticket.FAULT)

    def looked_into(self, device: Device, since: float) -> None:
        """An early warning or supervisory signal arrives that somebody has to look into."""
        if device.mute:
            device.news[Ticket.HAZARD] = since
        elif device.restored < since:
            self.center.open_ticket(device, Ticket.HAZARD)

    def restore(self, device: Device, battery: bool, exchanged: bool) -> None:
        """Somebody has put the device in order: it registers and reports."""
        now = self.env.now
        reports = bool(device.cuts) or self.mends(device)
        if device.dead_since < inf:
            device.dead_since, device.dead_cause = inf, ""
            self.row(Kind.FAULT_CLEARED, device, View.TRUTH)
            if device.believed_fault:
                device.believed_fault = False
                self.row(Kind.FAULT_CLEARED, device, View.PLATFORM)
        if device.cuts:
            device.cuts.clear()
            for one in (device, *device.slaves):
                if one is not device:
                    one.area.remove(GATEWAY_OFFLINE)
                one.registering = True
                self.silence(one)
        device.restored = now
        device.news.pop(Ticket.CLEANING, None)
        if battery or exchanged:
            if device.low_since < inf:
                self.row(Kind.BATTERY_CHANGED, device, View.TRUTH)
            device.low_since = inf
            device.news.pop(Ticket.BATTERY, None)
            if now + device.facts.battery < self.trace.scenario.duration:
                self.after(now + device.facts.battery, self.warns, device)
        if reports:
            self.after(now + device.facts.registration, self.registered, device)

    def mends(self, device: Device) -> bool:
        """Whether a visit ends a run of lost heartbeats: what is left of it arrives."""
        lost = device.facts.lost
        if not isinstance(lost, set):
            return device.flagged and not device.last_area
        for first, heard in device.facts.runs:
            if first < device.beats <= heard and device.flagged:
                lost.difference_update(range(device.beats, heard))
                return True
        return False

    def warns(self, device: Device) -> None:
        """A battery that was changed is low again."""
        if device.dead_since == inf:
            self.low_battery(device)

    def registered(self, device: Device) -> None:
        """The device is in the network again."""
        for one in (device, *device.slaves):
            one.registering = False
            self.silence(one)
            self.report(one)

    def report(self, device: Device) -> None:
        """A report beside the heartbeats."""
        vendor = self.vendors[device.facts.vendor]
        if vendor.up and not device.silent:
            vendor.hears(device)

    # -- signals and messages ---------------------------------------------------------------------

    def signals(self, device: Device, signal: Signal) -> None:
        """A device sounds, and sends its alarm."""
        fire = self.fires.setdefault(signal.fire, [])
        if device.dead_since < inf:
            fire.append("dead")
            return
        if signal.dirt > 0.0 and not device.cuts and self.avoided(device, signal):
            return
        self.row(Kind.SIGNAL, device, View.TRUTH, signal.cause, message=signal.number)
        lost = "offline" if device.mute and not signal.lost else signal.lost
        if lost:
            fire.append("offline" if lost in ("offline", "power") else "lost")
            self.row(Kind.MESSAGE_LOST, device, View.TRUTH, lost, message=signal.number)
        else:
            late = signal.arrival - signal.time > MISSED_AFTER_S
            fire.append("offline" if late else "")
            arrival = signal.arrival + self.bus_wait(device)
            self.after(arrival, self.center.receive, device, signal)

    def avoided(self, device: Device, signal: Signal) -> bool:
        """Whether a cleaning prevents a nuisance alarm: dirt raises their rate by its amount."""
        cleaned = max(device.restored, self.center.cleaned.get(device.facts.venue, -inf))
        dirt = min(signal.dirt, (self.env.now - cleaned) * device.facts.dirt_per_s)
        return signal.luck * (1.0 + signal.dirt) >= 1.0 + dirt

    def says(self, device: Device, word: Word) -> None:
        """A device says something that nobody has to answer at once."""
        if device.dead_since == inf and not device.mute:
            self.after(word.arrival + self.bus_wait(device), self.said, device, word)

    def said(self, device: Device, word: Word) -> None:
        """It arrives."""
        self.row(word.kind, device, View.PLATFORM, word.text, word.value)

    def missed_fires(self) -> None:
        """After the run: the fires, and those of which no message was heard."""
        fires, signals = self.trace.happenings.fires, self.trace.happenings.signals
        first: dict[int, float] = {}
        for fire, time in zip(signals.fire.tolist(), signals.signalled.tolist(), strict=True):
            first[fire] = min(first.get(fire, inf), time)
        from devices import FIRE_CAUSES

        for number, (venue, time, cause) in enumerate(
            zip(fires.venue.tolist(), fires.time.tolist(), fires.cause.tolist(), strict=True)
        ):
            subject, value = self.trace.venues.ids[venue], float(number + 1)
            self.log.row(time, Kind.FIRE, subject, view=View.TRUTH, value=value,
                         text=FIRE_CAUSES[cause])  # fmt: skip
            outcomes = self.fires.get(number, [""])
            if "" not in outcomes:
                why = next(word for word in ("dead", "offline", "lost") if word in outcomes)
                self.log.row(first[number], Kind.FIRE_MISSED, subject, view=View.TRUTH,
                             value=value, text=why)  # fmt: skip

    # -- surroundings -----------------------------------------------------------------------------

    def surroundings(self) -> None:
        """A process for every outage of a cell, a feeder or an uplink."""
        trace, process = self.trace, self.env.process
        for cell, spans in trace.cells.items():
            hit = [d for d in self.devices if d.facts.nbiot and d.facts.cell == cell]
            for start, end in spans:
                process(self.outage(f"cell-{cell + 1}", Kind.CELL_DOWN, Kind.CELL_UP, start, end))
                for device in hit:
                    process(self.affected(device, 0, start, end))
        for feeder, spans in trace.feeders.items():
            hit = [
                d for d in self.devices
                if d.facts.mains and d.facts.feeder == feeder
            ]  # fmt: skip
            for start, end in spans:
                name = f"feeder-{feeder + 1}"
                process(self.outage(name, Kind.POWER_CUT, Kind.POWER_BACK, start, end))
                for device in hit:
                    if start + device.facts.backup < end:
                        process(self.affected(device, 1, start + device.facts.backup, end))
        for gateway, spans in trace.uplinks.items():
            for start, end in spans:
                process(self.affected(self.devices[gateway], 2, start, end))

    def outage(self, name: str, down: Kind, up: Kind, start: float, end: float) -> Process:
        """One outage of a cell or a feeder."""
        yield self.env.timeout(start - self.env.now)
        self.truth(down, name)
        yield self.env.timeout(end - self.env.now)
        self.truth(up, name)

    def affected(self, device: Device, cause: int, start: float, end: float) -> Process:
        """What an outage does to a device, and to what hangs on it."""
        if start >= self.trace.scenario.duration:
            return
        facts = device.facts
        back = self.trace.back[facts.number, cause, start]
        assert back > end if facts.mains else back == end
        yield self.env.timeout(start - self.env.now)
        family = [device, *device.slaves]
        for one in family:
            one.area.append(AREA_CAUSES[cause])
            self.silence(one)
        if device.host is not None:  # without power, as all slaves of its host
            others = len(device.host.slaves) - 1
            self.env.process(self.found_dead(device, others, lambda: self.env.now < back))
        yield self.env.timeout(back - self.env.now)
        for one in family:
            one.area.remove(AREA_CAUSES[cause])
            self.silence(one)
            if facts.mains:
                self.report(one)

    def comes_back_soon(self, device: Device) -> bool:
        """Whether a device that only lost heartbeats comes back within the center's patience.

        Nobody can know that; the trace does. With own draws it is never assumed.
        """
        first = device.first_missed
        heard = device.facts.short.get(first, inf)
        return heard - self.env.now <= self.trace.settings.maintenance.patience

    # -- what the platform believes ---------------------------------------------------------------

    def believe(self, device: Device, offline: bool) -> None:
        """The platform learns of a device's flag, or of its end."""
        if device.believed == offline:
            return
        device.believed = offline
        self.row(Kind.OFFLINE if offline else Kind.ONLINE, device, View.PLATFORM)
        if offline:
            self.center.offline(device)
        else:
            device.own_known = False
            self.center.online(device)

    def own_fault(self, device: Device) -> None:
        """The platform learns that the device is offline by its own fault, not an area's."""
        if not device.own_known:
            device.own_known = True
            self.center.own_fault(device)

    def learns(self, device: Device) -> None:
        """The platform learns what a device's heartbeats have told the vendor."""
        for ticket, since in device.reported.items():
            if ticket is Ticket.BATTERY:
                if device.low_since == since:
                    self.row(Kind.LOW_BATTERY, device, View.PLATFORM)
                    self.center.open_ticket(device, ticket)
            elif ticket is Ticket.FAULT:
                self.fault_report(device, since, device.dead_cause)
            elif device.restored < since:
                self.center.open_ticket(device, ticket)
        device.reported.clear()


@dataclass(frozen=True)
class ReferenceRun:
    """What a run of the reference leaves, and how much work it was."""

    log: Log
    events: int
    heartbeats: int


def run_reference(trace: Trace, seconds: float | None = None) -> ReferenceRun:
    """Runs the plain model over a trace.

    Parameters
    --------
    trace : the center's world.
    seconds : to stop earlier than the scenario's period.
    """
    world = World(trace)
    world.env.run(until=trace.scenario.duration if seconds is None else seconds)
    world.missed_fires()
    beats = sum(device.beats for device in world.devices)
    return ReferenceRun(world.log.finish({}), next(world.env._eid), beats)


def bare_events(processes: int, each: int) -> int:
    """As many timeouts as asked for, from processes that do nothing else; the events processed."""
    env = simpy.Environment()

    def ticks(phase: float) -> Process:
        yield env.timeout(phase)
        while True:
            yield env.timeout(1.0)

    for number in range(processes):
        env.process(ticks(number / processes))
    env.run(until=float(each))
    return int(next(env._eid))
