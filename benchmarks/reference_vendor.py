"""The reference's devices as they truly are, and the vendor platforms that hear from them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from math import inf
from typing import TYPE_CHECKING, Any

import simpy

from benchmarks.trace import DeviceFacts
from twin.terms import Kind, Ticket, View

if TYPE_CHECKING:
    from benchmarks.reference import World

Process = Generator[simpy.events.Event, Any, None]


class Device:
    """A device as it truly is; its vendor's and the platform's belief of it beside."""

    __slots__ = (
        "area", "beats", "believed", "believed_fault", "changes", "cuts", "dead_cause",
        "dead_since", "facts", "first_missed", "flagged", "heard", "host", "kept", "last_area",
        "low_since", "missed", "news", "offline", "own_flagged", "own_known", "own_missed",
        "registering", "reported", "restored", "silent", "slaves", "speaks", "told",
    )  # fmt: skip

    def __init__(self, facts: DeviceFacts) -> None:
        self.facts = facts
        self.dead_since = inf
        self.dead_cause = ""
        self.cuts: list[tuple[float, str]] = []
        """Own reasons why it cannot report."""
        self.area: list[str] = []
        """Reasons in its surroundings."""
        self.offline = self.registering = self.silent = False
        self.low_since = inf
        self.restored = -inf
        self.news: dict[Ticket, float] = {}
        """What its next heartbeat tells: since when."""
        self.reported: dict[Ticket, float] = {}
        """What the vendor knows and the platform has not pulled yet."""
        self.kept = False
        """Whether it was cut off, by its own fault, since the vendor heard it last."""
        self.missed = 0
        self.own_missed = 0
        """Of these, the last ones that no outage around it explains."""
        self.own_flagged = self.own_known = False
        """Whether its own fault alone has missed enough; whether the platform knows."""
        self.heard = 0
        self.flagged = False
        self.believed = False
        self.believed_fault = False
        self.beats = 0
        self.first_missed = 0
        """Number of the first heartbeat of the present run of missing ones."""
        self.last_area = ""
        """The reason in its surroundings for which heartbeats are missing now."""
        self.changes = self.told = 0
        """How often the vendor's flag has changed, and up to which of them the platform knows."""
        self.host: Device | None = None
        self.slaves: list[Device] = []
        self.speaks: simpy.Event | None = None
        """For whoever waits until it can report again."""

    @property
    def cut_since(self) -> float:
        """When it stopped reporting by its own fault; inf: it reports."""
        return self.cuts[0][0] if self.cuts else inf

    @property
    def broken(self) -> bool:
        """Whether the device itself is dead or cut off."""
        return self.dead_since < inf or bool(self.cuts)

    @property
    def mute(self) -> bool:
        """Whether it, or what it hangs on, cannot report by a fault of its own."""
        return bool(self.cuts) or (self.host is not None and bool(self.host.cuts))


class Vendor:
    """A vendor platform: counts missing heartbeats, flags, pushes, answers pulls."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.env = world.env
        self.settings = list(world.trace.scenario.vendors.values())[number]
        self.limit = self.settings.missed_heartbeats
        self.up = True
        self.back = world.env.event()
        self.changed: dict[Device, None] = {}
        way = world.trace.way
        world.env.process(self.pulls(float(way.pull_phase[number])))
        name = list(world.trace.scenario.vendors)[number]
        for start, end in world.trace.vendor_outages.get(number, []):
            world.env.process(self.outage(name, start, end))

    def outage(self, name: str, start: float, end: float) -> Process:
        """One outage of the vendor itself."""
        yield self.env.timeout(start - self.env.now)
        self.up = False
        self.world.truth(Kind.VENDOR_DOWN, name)
        yield self.env.timeout(end - self.env.now)
        self.up = True
        self.world.truth(Kind.VENDOR_UP, name)
        self.back.succeed()
        self.back = self.env.event()

    def misses(self, device: Device) -> None:
        """A heartbeat was due and did not come."""
        device.missed += 1
        if device.missed == 1:
            device.first_missed = device.beats - 1
            device.last_area = ""
        if device.area and not device.cuts:
            device.last_area = device.area[0]
        device.own_missed = 0 if device.area and not device.cuts else device.own_missed + 1
        if device.own_missed == self.limit:
            if device.cuts:
                self.env.process(self.watch_own(device, device.heard))
            else:  # lost on the radio, as many as flag a device by themselves
                device.own_missed = 0
        if device.missed == self.limit and not device.flagged:
            self.env.process(self.watch(device, device.heard))

    def watch(self, device: Device, heard: int) -> Process:
        """The grace; then the flag, unless the device has been heard meanwhile."""
        yield self.env.timeout(self.settings.grace)
        while not self.up:
            yield self.back
        if device.heard == heard and not device.flagged:
            self.flags(device)

    def flags(self, device: Device) -> None:
        """The vendor takes a device for offline."""
        device.flagged = True
        self.world.row(Kind.OFFLINE, device, View.VENDOR)
        self.tell(device, True)

    def host_says_dead(self, device: Device) -> None:
        """A host reports that one of its slaves does not answer."""
        if not device.flagged:
            device.last_area = "" if device.cuts else device.area[0]
            self.flags(device)
        if device.cuts:
            device.own_flagged = True
            self.pushes(device, False, self.world.own_fault)

    def watch_own(self, device: Device, heard: int) -> Process:
        """The grace of a device's own fault, whether it has been flagged for another or not."""
        yield self.env.timeout(self.settings.grace)
        while not self.up:
            yield self.back
        if device.heard == heard and device.cuts:
            device.own_flagged = True
            self.pushes(device, False, self.world.own_fault)

    def hears(self, device: Device) -> None:
        """A heartbeat, or the report of a device that has registered."""
        device.missed = device.own_missed = 0
        device.heard += 1
        device.own_flagged = False
        if device.news:
            device.reported.update(device.news)
            device.news.clear()
            self.changed[device] = None
            if device.kept:
                self.pushes(device, True, self.world.learns)
        device.kept = False
        if device.flagged:
            device.flagged = False
            self.world.row(Kind.ONLINE, device, View.VENDOR)
            self.tell(device, False)

    def tell(self, device: Device, offline: bool) -> None:
        """Pushes a flag, or its end."""
        device.changes += 1
        self.pushes(device, not offline, self.world.believe, offline)

    def pushes(self, device: Device, back: bool, then: Callable[..., None], *state: bool) -> None:
        """Pushes a state; the next pull finds it in any case."""
        self.changed[device] = None
        lost, delay = self.world.trace.push(device.facts, self.env.now, back)
        if not lost:
            self.env.process(self.push(delay, device.changes, then, device, *state))

    def push(self, delay: float, change: int, then: Callable[..., None], device: Device,
             *state: bool) -> Process:  # fmt: skip
        """The way of a push; one that comes after later news is old."""
        yield self.env.timeout(delay)
        if change >= device.told:
            device.told = change
            then(device, *state)

    def pulls(self, first: float) -> Process:
        """The on-site platform asks for all states, again and again."""
        yield self.env.timeout(first)
        number = 0
        while True:
            if self.up:
                for device in self.changed:
                    device.told = device.changes
                    if device.own_flagged:
                        self.world.own_fault(device)
                    self.world.believe(device, device.flagged)
                    self.world.learns(device)
                self.changed.clear()
            number += 1
            yield self.env.timeout(first + number * self.settings.pull_period - self.env.now)
