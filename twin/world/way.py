"""The way of a message, wired: device, network, vendor platform, on-site platform.

Heartbeats end at the vendor platform. Events and online/offline are pushed from there, states are
pulled (Annex B). All methods take arrays over devices of one center; times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from devices import DeviceKind
from twin.network.nbiot import arrival_delay_s, mass_arrivals, random_access, telegram_fate
from twin.network.outages import sample_outages
from twin.network.rs485 import alarm_delay_s, exchange_s, poll_cycle_s
from twin.network.settings import NetworkSettings
from twin.network.uplink import uplink_fate
from twin.streams import Streams
from twin.vendor.platform import (
    lost_heartbeat_flags,
    merge_intervals,
    next_heartbeat,
    offline_flag_time,
    online_flag_time,
    platform_time,
    through_outages,
)
from twin.vendor.settings import VendorSettings

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

NBIOT, RS485, CELLULAR = 0, 1, 2
LINKS = {"nbiot": NBIOT, "rs485": RS485, "cellular": CELLULAR}
LOST = ("", "radio", "vendor", "power")
"""Where a message can get lost; position 0 is for one that arrives."""
RADIO, VENDOR, POWER = 1, 2, 3


@dataclass(frozen=True)
class Outage:
    """Outages of surroundings: entity number, start and end; one entry per outage."""

    entity: Indices
    start: Floats
    end: Floats

    def of(self, entity: int) -> tuple[Floats, Floats]:
        """Starts and ends of one entity's outages, sorted."""
        mine = self.entity == entity
        return self.start[mine], self.end[mine]


@dataclass(frozen=True)
class Area:
    """Times in which devices cannot report because of their surroundings; one entry per device
    and outage. ``heard`` is when the vendor hears from the device again."""

    device: Indices
    start: Floats
    end: Floats
    heard: Floats
    cause: NDArray[np.int8]
    """0 cell, 1 power, 2 uplink."""


AREA_CAUSES = ("cell outage", "power cut", "uplink outage")


class Way:
    """How what happens in a center's devices becomes known.

    Parameters
    ----------
    network, vendors : settings; the vendors in the order of their names.
    kinds : the device kinds, by name.
    slices : the contiguous devices of each kind, by name.
    venue, gateway : of each device (gateway -1: none).
    position : x and y of each venue, metres, for cells and feeders.
    streams : the center's.
    seconds : the period.
    """

    def __init__(
        self,
        network: NetworkSettings,
        vendors: Sequence[VendorSettings],
        kinds: Mapping[str, DeviceKind],
        slices: Mapping[str, slice],
        venue: NDArray[np.integer],
        gateway: NDArray[np.integer],
        position: tuple[Floats, Floats],
        streams: Streams,
        seconds: float,
    ) -> None:
        self.network = network
        self.vendors = vendors
        self.streams = streams
        self.seconds = seconds
        self.devices = len(venue)
        self.slices = {name: part for name, part in slices.items() if part.stop > part.start}
        self.venue = venue
        self.gateway = gateway
        self.link = np.zeros(self.devices, np.int8)
        self.mains = np.zeros(self.devices, bool)
        venues = len(position[0])
        of_venue = np.searchsorted(
            np.cumsum([v.share for v in vendors])[:-1],
            streams.generator("vendor").random(venues),
            side="right",
        )
        self.vendor = of_venue[venue]
        self.coverage = np.zeros(self.devices, np.int8)
        self.interval = np.empty(self.devices)
        self.phase = np.empty(self.devices)
        self.push_delay = np.empty(self.devices)
        self.push_lost = np.empty(self.devices, bool)
        self.registration = np.empty(self.devices)
        thresholds = np.cumsum(network.nbiot.coverage.levels)[:-1]
        loss = np.array([v.push_loss for v in vendors])
        delay = np.array([v.push_delay for v in vendors])
        for name, here in self.slices.items():
            self.link[here] = LINKS[kinds[name].link]
            self.mains[here] = kinds[name].power == "mains"
            draws = streams.generator("link", name).random((here.stop - here.start, 5))
            if kinds[name].link == "nbiot":
                self.coverage[here] = np.searchsorted(thresholds, draws[:, 0], side="right")
            interval = np.array([v.heartbeat_s(name) for v in vendors])[self.vendor[here]]
            self.interval[here] = interval
            self.phase[here] = draws[:, 1] * interval
            self.push_delay[here] = -np.log1p(-draws[:, 2]) * delay[self.vendor[here]]
            self.push_lost[here] = draws[:, 3] < loss[self.vendor[here]]
            self.registration[here] = -np.log1p(-draws[:, 4]) * network.nbiot.registration
        power = network.power
        self.backup = np.where(self.link == CELLULAR, power.gateway_backup, power.device_backup)
        periods = np.array([v.pull_period for v in vendors])
        self.pull_phase = streams.generator("pull").random(len(vendors)) * periods
        self.pull_period = periods
        self._place(position)
        self._outages()

    # -- surroundings

    def _place(self, position: tuple[Floats, Floats]) -> None:
        """Cells and feeders: neighbouring venues together, so many points each."""
        x, y = position
        side = 1000.0
        order = np.lexsort((y, x, np.floor(y / side), np.floor(x / side)))
        points = np.bincount(self.venue, minlength=len(x))
        before = np.cumsum(points[order]) - points[order]
        rank = np.empty(len(x))
        rank[order] = before
        self.cell = (rank // self.network.nbiot.points_per_cell).astype(np.int64)[self.venue]
        self.feeder = (rank // self.network.power.points_per_feeder).astype(np.int64)[self.venue]

    def _outages(self) -> None:
        net, streams, seconds = self.network, self.streams, self.seconds
        cells = int(self.cell.max(initial=-1)) + 1
        feeders = int(self.feeder.max(initial=-1)) + 1
        self.cells = Outage(
            *sample_outages(
                "cell_outage",
                cells,
                net.nbiot.cell_outages,
                net.nbiot.cell_outage,
                streams,
                seconds,
            )
        )
        self.feeders = Outage(
            *sample_outages("power_cut", feeders, net.power.cuts, net.power.cut, streams, seconds)
        )
        uplinks = [Outage(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))]
        for name, here in self.slices.items():
            if self.link[here.start] == CELLULAR:
                n, rate, mean = here.stop - here.start, net.uplink.outages, net.uplink.outage
                number, start, end = sample_outages(
                    f"uplink_outage/{name}", n, rate, mean, streams, seconds
                )
                uplinks.append(Outage(number + here.start, start, end))
        self.uplinks = Outage(
            np.concatenate([o.entity for o in uplinks]),
            np.concatenate([o.start for o in uplinks]),
            np.concatenate([o.end for o in uplinks]),
        )
        self.vendor_outages = Outage(
            *sample_outages(
                "vendor_outage",
                len(self.vendors),
                [v.outages for v in self.vendors],
                [v.outage for v in self.vendors],
                streams,
                seconds,
            )
        )

        self._vendor_downs = [
            tuple(times.tolist() for times in self.vendor_outages.of(i))
            for i in range(len(self.vendors))
        ]

    @cached_property
    def area(self) -> Area:
        """Every time in which a device cannot report because of cell, power or uplink."""
        parts: list[tuple[Indices, Floats, Floats, int]] = []
        nbiot = np.flatnonzero(self.link == NBIOT)
        self._affect(parts, self.cells, nbiot, self.cell[nbiot], 0)
        mains = np.flatnonzero(self.mains & (self.link != RS485))
        self._affect(parts, self.feeders, mains, self.feeder[mains], 1, self.backup)
        everyone = np.arange(self.devices)
        self._affect(parts, self.uplinks, everyone, everyone, 2)
        if not parts:
            none = np.zeros(0)
            return Area(none.astype(np.int64), none, none, none, none.astype(np.int8))
        device = np.concatenate([p[0] for p in parts])
        start = np.concatenate([p[1] for p in parts])
        end = np.concatenate([p[2] for p in parts])
        cause = np.concatenate([np.full(len(p[0]), p[3], np.int8) for p in parts])
        registers = self.mains[device]
        access = self._access(device, end, registers)
        back = np.where(registers, end + access, end)
        heard = self.vendor_unflag(device, back, registers)
        # What hangs on a gateway shares its fate.
        behind = np.argsort(self.gateway, kind="stable")
        first = np.searchsorted(self.gateway[behind], device, side="left")
        last = np.searchsorted(self.gateway[behind], device, side="right")
        rows = np.repeat(np.arange(len(device)), last - first)
        slave = behind[np.arange(len(rows)) - np.repeat(np.cumsum(last - first), last - first)
                       + np.repeat(last, last - first)]  # fmt: skip
        return Area(
            np.concatenate([device, slave]),
            np.concatenate([start, start[rows]]),
            np.concatenate([back, back[rows]]),
            np.concatenate([heard, heard[rows]]),
            np.concatenate([cause, cause[rows]]),
        )

    def _affect(
        self,
        parts: list[tuple[Indices, Floats, Floats, int]],
        outages: Outage,
        device: Indices,
        entity: Indices,
        cause: int,
        backup: Floats | None = None,
    ) -> None:
        """Adds the devices of each outage's entity, for as long as no backup bridges it."""
        order = np.argsort(entity, kind="stable")
        first = np.searchsorted(entity[order], outages.entity, side="left")
        last = np.searchsorted(entity[order], outages.entity, side="right")
        count = last - first
        row = np.repeat(np.arange(len(count)), count)
        offset = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        who = device[order[first[row] + offset]]
        start, end = outages.start[row], outages.end[row]
        if backup is not None:
            start = start + backup[who]
        lasts = (start < end) & (start < self.seconds)
        parts.append((who[lasts], start[lasts], end[lasts], cause))

    def _access(
        self,
        device: Indices,
        end: Floats,
        registers: NDArray[np.bool_],
    ) -> Floats:
        """Seconds from the end of an outage until mains-powered devices have registered.

        All of them come back at once: their random accesses contend, cell by cell.
        """
        wait = np.where(registers, self.registration[device], 0.0)
        contends = np.flatnonzero(registers & (self.link[device] == NBIOT))
        if len(contends) == 0:
            return wait
        group = np.stack([end[contends], self.cell[device[contends]]])
        order = np.lexsort(group[::-1])
        changes = np.flatnonzero(np.any(np.diff(group[:, order], axis=1) != 0, axis=0)) + 1
        for part in np.split(contends[order], changes):
            # Keyed by cell and outage: another outage elsewhere shifts nobody's luck.
            name = ("random_access", int(self.cell[device[part[0]]]), f"{end[part[0]]:.6f}")
            rng = self.streams.generator(*name)
            ready = mass_arrivals(len(part), rng)
            wait[part] += random_access(ready, self.coverage[device[part]], rng)
        return wait

    @cached_property
    def _dark(self) -> tuple[Indices, Floats, Floats]:
        """Times without cell, power or uplink, by device and time, none overlapping."""
        return merge_intervals(self.area.device, self.area.start, self.area.end)

    @cached_property
    def _dark_of(self) -> dict[int, list[tuple[float, float]]]:
        dark: dict[int, list[tuple[float, float]]] = {}
        for device, start, end in zip(*(c.tolist() for c in self._dark), strict=True):
            dark.setdefault(device, []).append((start, end))
        return dark

    def _can_report(self, device: Indices, time: Floats) -> Floats:
        """The time itself, or the end of the outage that covers it."""
        who, start, end = self._dark
        if len(who) == 0:
            return time
        scale = float(max(time.max(initial=0.0), start.max())) + 1.0
        at = np.searchsorted(who * scale + start, device * scale + time, side="right") - 1
        dark = (at >= 0) & (who[at] == device) & (time < end[at])
        return np.where(dark, end[at], time)

    # -- what the vendor and the platform believe

    def _per_vendor(self, device: Indices) -> list[tuple[VendorSettings, Indices, Floats, Floats]]:
        """The rows of each vendor's devices, with its outages."""
        return [
            (v, np.flatnonzero(self.vendor[device] == i), *self.vendor_outages.of(i))
            for i, v in enumerate(self.vendors)
        ]

    def vendor_flag(self, device: Indices, cut_off: Floats) -> Floats:
        """When the vendor flags devices that stopped reporting at ``cut_off``."""
        result = np.empty(len(device))
        for v, rows, start, end in self._per_vendor(device):
            d = device[rows]
            result[rows] = offline_flag_time(
                cut_off[rows],
                self.phase[d],
                self.interval[d],
                v.missed_heartbeats,
                v.grace,
                start,
                end,
            )
        return result

    def vendor_unflag(
        self, device: Indices, restored: Floats, registers: NDArray[np.bool_]
    ) -> Floats:
        """When the vendor hears again from devices that can report from ``restored`` on."""
        result = np.empty(len(device))
        for _, rows, start, end in self._per_vendor(device):
            d = device[rows]
            result[rows] = online_flag_time(
                restored[rows], self.phase[d], self.interval[d], registers[rows], 0.0, start, end
            )
        return result

    def at_platform(self, device: Indices, vendor_time: Floats) -> Floats:
        """When the on-site platform learns of a state: pushed, or found by the next pull."""
        vendor = self.vendor[device]
        return platform_time(
            vendor_time,
            self.push_delay[device],
            self.push_lost[device],
            self.pull_phase[vendor],
            self.pull_period[vendor],
        )

    def state_known(self, device: Indices, time: Floats) -> Floats:
        """When the platform learns of a state that only heartbeats carry and pulls bring."""
        sends = self._can_report(device, time)
        reported = self.vendor_unflag(device, sends, np.zeros(len(device), bool))
        while np.any(late := (sends := self._can_report(device, reported)) > reported):
            reported = np.where(
                late, self.vendor_unflag(device, sends, np.zeros(len(device), bool)), reported
            )
        vendor = self.vendor[device]
        return np.asarray(
            next_heartbeat(reported, self.pull_phase[vendor], self.pull_period[vendor])
        )

    def state_known_one(self, device: int, time: float) -> float:
        """As :meth:`state_known` for one device, quickly where no vendor outage is near."""
        phase, interval = self.phase[device], self.interval[device]
        dark = self._dark_of.get(device, ())
        sends = next((end for start, end in dark if start <= time < end), time)
        reported = phase - (phase - sends) // interval * interval
        vendor = int(self.vendor[device])
        covered = any(start <= reported < end for start, end in dark)
        if covered or self._vendor_down(vendor, reported, reported):
            return float(self.state_known(np.array([device]), np.array([time]))[0])
        first, period = self.pull_phase[vendor], self.pull_period[vendor]
        return float(first - (first - reported) // period * period)

    def flagged_one(self, device: int, cut_off: float) -> float:
        """When the platform knows that a device is cut off; as :meth:`vendor_flag`, for one."""
        vendor = int(self.vendor[device])
        rule, phase, interval = self.vendors[vendor], self.phase[device], self.interval[device]
        last = phase + (cut_off - phase) // interval * interval
        flag = last + rule.missed_heartbeats * interval + rule.grace
        if self._vendor_down(vendor, last, flag):
            one = np.array([device])
            return float(self.at_platform(one, self.vendor_flag(one, np.array([cut_off])))[0])
        first, period = self.pull_phase[vendor], self.pull_period[vendor]
        pulled = first - (first - flag) // period * period
        pushed = np.inf if self.push_lost[device] else flag + self.push_delay[device]
        return float(min(pushed, pulled))

    def _vendor_down(self, vendor: int, start: float, end: float) -> bool:
        """Whether the vendor platform is down at any time from start to end."""
        down, up = self._vendor_downs[vendor]
        return any(d <= end and start <= u for d, u in zip(down, up, strict=True))

    def false_flags(self) -> tuple[Indices, Floats, Floats]:
        """Flags by lost heartbeats alone: device, vendor's flag, vendor's unflag."""
        loss = 1.0 - np.array(self.network.nbiot.delivery.levels)[self.coverage]
        parts: list[tuple[Indices, Floats, Floats]] = []
        for name, kind in self.slices.items():
            if self.link[kind.start] != NBIOT:
                continue
            devices = np.arange(kind.start, kind.stop)
            for i, (v, here, start, end) in enumerate(self._per_vendor(devices)):
                mine = devices[here]
                device, flag, unflag = lost_heartbeat_flags(
                    loss[mine],
                    self.phase[mine],
                    self.interval[mine],
                    v.missed_heartbeats,
                    self.seconds,
                    self.streams,
                    v.grace,
                    f"lost_heartbeats/{name}/{i}",
                    start,
                    end,
                )
                parts.append((mine[device], flag, unflag))
        if not parts:
            return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
        device, flag, unflag = (np.concatenate(column) for column in zip(*parts, strict=True))
        return device, flag, unflag

    # -- events

    def event(
        self, name: tuple[str, ...], device: Indices, time: Floats, number: NDArray[np.integer]
    ) -> tuple[Floats, NDArray[np.int8]]:
        """When events reach the platform (inf: never), and where the others got lost.

        Parameters
        ----------
        name, number : key the draws, with the device; ``number`` is the device's first, second,
            ... event of this name.

        Returns
        -------
        arrival, lost : seconds, and positions in :data:`LOST`.
        """
        tries = max(self.network.nbiot.attempts, self.network.uplink.tries)
        luck = self.luck((*name, "way"), device, number, tries + 3)
        normal = self.luck((*name, "latency"), device, number, 1, normal=True)[:, 0]
        link, delay = self.link[device], np.empty(len(device))
        delivered = np.empty(len(device), bool)
        nb = np.flatnonzero(link == NBIOT)
        coverage, settings = self.coverage[device[nb]], self.network.nbiot
        delivered[nb], used = telegram_fate(coverage, luck[nb, : settings.attempts], settings)
        delay[nb] = arrival_delay_s(coverage, normal[nb], used, settings)
        wired = np.flatnonzero(link != NBIOT)
        uplink = self.network.uplink
        delivered[wired], delay[wired] = uplink_fate(
            normal[wired], luck[wired, : uplink.tries], uplink
        )
        bus = np.flatnonzero(link == RS485)
        if len(bus):
            delay[bus] += self._poll_delay(device[bus], luck[bus, tries])
        arrival = self._sent(device, time) + delay
        pushed = np.empty(len(device))
        for i, v in enumerate(self.vendors):
            rows = np.flatnonzero(self.vendor[device] == i)
            handed = through_outages(arrival[rows], *self.vendor_outages.of(i))
            pushed[rows] = handed - np.log1p(-luck[rows, tries + 1]) * v.push_delay
            pushed[rows[luck[rows, tries + 2] < v.push_loss]] = np.inf
        lost = np.where(np.isfinite(pushed), 0, VENDOR).astype(np.int8)
        lost[~delivered] = RADIO
        lost[self._without_power(device, time)] = POWER
        return np.where(lost == 0, pushed, np.inf), lost

    def luck(
        self,
        name: tuple[str, ...],
        device: Indices,
        number: NDArray[np.integer],
        columns: int,
        normal: bool = False,
    ) -> Floats:
        """Draws of events, keyed by kind, device and number: shape (len(device), columns)."""
        result = np.empty((len(device), columns))
        for kind, part in self.slices.items():
            rows = np.flatnonzero((device >= part.start) & (device < part.stop))
            for k in np.unique(number[rows]):
                here = rows[number[rows] == k]
                generator = self.streams.generator(*name, kind, int(k))
                draw = generator.standard_normal if normal else generator.random
                result[here] = draw((part.stop - part.start, columns))[device[here] - part.start]
        return result

    def _poll_delay(self, device: Indices, uniform: Floats) -> Floats:
        """From a slave's signal to its host having read it."""
        bus = self.network.rs485
        slaves = np.bincount(self.gateway[self.gateway >= 0], minlength=self.devices)
        line = (bus.baud, bus.bits_per_character, bus.answer)
        cycles = np.array(
            [poll_cycle_s(n, bus.registers, *line) for n in range(int(slaves.max()) + 1)]
        )
        cycle = cycles[slaves[self.gateway[device]]]
        return alarm_delay_s(cycle, uniform, exchange_s(bus.registers, *line))

    def _without_power(self, device: Indices, time: Floats) -> NDArray[np.bool_]:
        """Which devices have neither mains nor backup at that time."""
        out = np.zeros(len(device), bool)
        for feeder in np.unique(self.feeders.entity):
            rows = np.flatnonzero(self.mains[device] & (self.feeder[device] == feeder))
            start, end = self.feeders.of(int(feeder))
            last = np.searchsorted(start, time[rows], side="right") - 1
            begin = np.where(last >= 0, start[last], np.inf) + self.backup[device[rows]]
            out[rows] = (begin <= time[rows]) & (time[rows] < end[last])
        return out

    def _sent(self, device: Indices, time: Floats) -> Floats:
        """When a telegram gets out: at once, or when cell or uplink are back."""
        sent = time.copy()
        nbiot = self.link[device] == NBIOT
        for cell in np.unique(self.cells.entity):
            rows = np.flatnonzero(nbiot & (self.cell[device] == cell))
            sent[rows] = through_outages(time[rows], *self.cells.of(int(cell)))
        gateway = np.where(self.link == RS485, self.gateway, np.arange(self.devices))[device]
        for number in np.unique(self.uplinks.entity):
            rows = np.flatnonzero(~nbiot & (gateway == number))
            if len(rows):
                sent[rows] = through_outages(time[rows], *self.uplinks.of(int(number)))
        return sent
