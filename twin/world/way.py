"""The way of a message, wired: device, network, vendor platform, on-site platform.

Heartbeats end at the vendor platform. Events and online/offline are pushed from there, states are
pulled (Annex B). All methods take arrays over devices of one center; times in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from math import floor, log1p

import numpy as np
from numpy.typing import NDArray

from devices import DeviceKind
from twin.network.nbiot import arrival_delay_s, telegram_fate
from twin.network.outages import sample_outages
from twin.network.settings import NetworkSettings
from twin.network.uplink import uplink_fate
from twin.streams import Streams, uniform_at, uniforms_at
from twin.vendor.platform import (
    last_counted_heartbeat,
    lost_heartbeat_flags,
    merge_intervals,
    next_pull,
    offline_flag_time,
    online_flag_time,
    platform_time,
    through_outages,
)
from twin.vendor.settings import VendorSettings
from twin.world.bus import Buses
from twin.world.surroundings import (
    LINKS,
    NBIOT,
    RS485,
    Area,
    Intervals,
    Outage,
    Surroundings,
    through,
)

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

LOST = ("", "radio", "vendor", "power")
"""Where a message can get lost; position 0 is for one that arrives."""
RADIO, VENDOR, POWER = 1, 2, 3


# Of a device's sequence of draws every third is for delays of pushes, for lost pushes, and for
# lost heartbeats.
_DELAY, _LOSS, _BEAT = 0, 1, 2


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
        venue: Indices,
        gateway: Indices,
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
        self.registration = np.empty(self.devices)
        self.loss = np.zeros(self.devices)
        self.keys = np.empty(self.devices, np.uint64)
        turn = np.empty(self.devices)
        thresholds = np.cumsum(network.nbiot.coverage.levels)[:-1]
        lost = 1.0 - np.array(network.nbiot.delivery.levels)
        for name, here in self.slices.items():
            self.link[here] = LINKS[kinds[name].link]
            self.mains[here] = kinds[name].power == "mains"
            n = here.stop - here.start
            draws = streams.generator("link", name).random((n, 4))
            keys = streams.generator("push", name)
            self.keys[here] = keys.integers(2**64, size=n, dtype=np.uint64)
            if kinds[name].link == "nbiot":
                self.coverage[here] = np.searchsorted(thresholds, draws[:, 0], side="right")
                self.loss[here] = lost[self.coverage[here]]
            interval = np.array([v.heartbeat_s(name) for v in vendors])[self.vendor[here]]
            self.interval[here] = interval
            self.phase[here] = draws[:, 1] * interval
            turn[here] = draws[:, 2]
            self.registration[here] = -np.log1p(-draws[:, 3]) * network.nbiot.registration
        self.bus = Buses(network.rs485, gateway, turn)
        wired = np.flatnonzero(self.link == RS485)
        # Nothing registers on a bus: a slave is back when its host has read it.
        self.registration[wired] = self.bus.reads_after(wired, np.zeros(len(wired)))
        self.around = Surroundings(
            network,
            self.slices,
            venue,
            gateway,
            self.link,
            self.mains,
            self.coverage,
            self.registration,
            position,
            streams,
            seconds,
        )
        self.vendor_outages = Outage(
            *sample_outages(
                "vendor_outage",
                len(vendors),
                [v.outages for v in vendors],
                [v.outage for v in vendors],
                streams,
                seconds,
            )
        )
        self._vendor_downs = [
            tuple(times.tolist() for times in self.vendor_outages.of(i))
            for i in range(len(vendors))
        ]
        periods = np.array([v.pull_period for v in vendors])
        self.pull_phase = streams.generator("pull").random(len(vendors)) * periods
        self.pull_period = periods

    # -- what the vendor and the platform believe

    @cached_property
    def area(self) -> Area:
        """Every time in which a device cannot report because of cell, power or uplink."""
        device, start, back, cause, registers = self.around.affected()
        heard = self.vendor_unflag(device, back, registers)
        return Area(device, start, back, heard, cause)

    @cached_property
    def dark(self) -> Intervals:
        """Times without cell, power or uplink."""
        return merge_intervals(self.area.device, self.area.start, self.area.end)

    @cached_property
    def _deaf(self) -> Intervals:
        """The same, until the vendor hears the device again."""
        return merge_intervals(self.area.device, self.area.start, self.area.heard)

    @cached_property
    def _dark_of(self) -> _OfOne:
        return _OfOne(self.dark, self.devices)

    @cached_property
    def _deaf_of(self) -> _OfOne:
        return _OfOne(self._deaf, self.devices)

    @cached_property
    def _loss_runs_of(self) -> _OfOne:
        return _OfOne(self._loss_runs, self.devices)

    def _per_vendor(self, device: Indices) -> list[tuple[VendorSettings, Indices, Floats, Floats]]:
        """The rows of each vendor's devices, with its outages."""
        return [
            (v, np.flatnonzero(self.vendor[device] == i), *self.vendor_outages.of(i))
            for i, v in enumerate(self.vendors)
        ]

    def vendor_flag(self, device: Indices, cut_off: Floats) -> Floats:
        """When the vendor flags devices that stopped reporting at ``cut_off``.

        Heartbeats that the radio has lost just before count with those that are not sent.
        """
        result = np.empty(len(device))
        for v, rows, start, end in self._per_vendor(device):
            d, silent = device[rows], cut_off[rows].copy()
            phase, interval = self.phase[d], self.interval[d]
            lossy = np.flatnonzero(self.loss[d] > 0.0)
            for _ in range(v.missed_heartbeats - 1):
                beat = last_counted_heartbeat(
                    silent[lossy], phase[lossy], interval[lossy], start, end
                )
                lost = self.beat_lost(d[lossy], beat)
                lossy = lossy[lost]
                silent[lossy] = beat[lost] - interval[lossy] / 2.0
            result[rows] = offline_flag_time(
                silent, phase, interval, v.missed_heartbeats, v.grace, start, end
            )
        return result

    def last_beats(self, device: Indices, time: Floats) -> Floats:
        """The last heartbeats at or before a time that their vendors were up for."""
        result = np.empty(len(device))
        for _, rows, start, end in self._per_vendor(device):
            d = device[rows]
            result[rows] = last_counted_heartbeat(
                time[rows], self.phase[d], self.interval[d], start, end
            )
        return result

    def vendor_unflag(
        self, device: Indices, restored: Floats, registers: NDArray[np.bool_]
    ) -> Floats:
        """When the vendor hears again from devices that can report from ``restored`` on.

        Those that register are heard at once, the others with the first heartbeat that is not
        lost.
        """
        result = np.empty(len(device))
        for _, rows, start, end in self._per_vendor(device):
            d = device[rows]
            phase, interval = self.phase[d], self.interval[d]
            heard = online_flag_time(
                restored[rows], phase, interval, registers[rows], 0.0, start, end
            )
            beats = ~registers[rows] | (heard != restored[rows])
            again = np.flatnonzero(beats & (self.loss[d] > 0.0) & np.isfinite(heard))
            while len(again := again[self.beat_lost(d[again], heard[again])]):
                later = heard[again] + interval[again] / 2.0
                heard[again] = online_flag_time(
                    later, phase[again], interval[again], False, 0.0, start, end
                )
            result[rows] = np.where(beats, through(self._loss_runs, d, heard), heard)
        return result

    def heard_again(
        self, device: Indices, restored: Floats, registers: NDArray[np.bool_]
    ) -> Floats:
        """As :meth:`vendor_unflag`, later where cell, power or uplink are missing at the time."""
        back = self.heard_after_outage(device, restored)
        heard = self.heard_after_outage(device, self.vendor_unflag(device, restored, registers))
        return np.where(back > restored, back, heard)

    def heard_after_outage(self, device: Indices, time: Floats) -> Floats:
        """The times, or when the vendor hears devices again that are then without cell or power."""
        return through(self._deaf, device, time)

    def flagged_in_outage(self, device: Indices, flag: Floats) -> NDArray[np.bool_]:
        """Whether cell, power or uplink were missing at a heartbeat that counts for a flag."""
        grace = np.array([v.grace for v in self.vendors])[self.vendor[device]]
        missed = np.array([v.missed_heartbeats for v in self.vendors])[self.vendor[device]]
        beat = self.last_beats(device, flag - grace + 1e-3)
        found = np.zeros(len(device), bool)
        for k in range(int(missed.max(initial=0))):
            found |= (through(self.dark, device, beat) > beat) & (k < missed)
            beat = self.last_beats(device, beat - self.interval[device] / 2.0)
        return found

    def host_report(
        self,
        device: Indices,
        time: Floats,
        dead: NDArray[np.integer] | int,
        dark: Intervals | None = None,
    ) -> Floats:
        """When the vendor has it from their hosts that slaves are dead since ``time``.

        Parameters
        ----------
        dead : how many other slaves of their buses are dead by then.
        dark : when hosts cannot report; None: for want of power or uplink alone.
        """
        found = time + self.bus.finds_dead_after(device, time, dead)
        return self.host_tells(device, found, dark)

    def host_tells(self, device: Indices, time: Floats, dark: Intervals | None = None) -> Floats:
        """When the vendor has from their hosts what these know at ``time`` of their slaves."""
        sent = through(self.dark if dark is None else dark, self.gateway[device], time)
        told = sent + self.network.uplink.latency
        for _, rows, start, end in self._per_vendor(device):
            told[rows] = through_outages(told[rows], start, end)
        return told

    def at_platform(self, device: Indices, vendor_time: Floats, back: bool = False) -> Floats:
        """When the on-site platform learns of a state: pushed, or found by the next pull.

        Parameters
        ----------
        back : whether the state is that the device is online again. What a vendor pushes from the
            k-th heartbeat of a device to the next has the luck of its 2k-th push, or the next one
            where it is back.
        """
        result = np.empty(len(device))
        push = 2 * self._number(device, vendor_time) + back
        keys = self.keys[device]
        lost, delay = uniforms_at(keys, 3 * push + _LOSS), uniforms_at(keys, 3 * push + _DELAY)
        for i, (v, rows, start, end) in enumerate(self._per_vendor(device)):
            known = vendor_time[rows]
            result[rows] = platform_time(
                known,
                -np.log1p(-delay[rows]) * v.push_delay,
                lost[rows] < v.push_loss,
                next_pull(known, self.pull_phase[i], self.pull_period[i], start, end),
            )
        return result

    def _number(self, device: Indices, time: Floats) -> Indices:
        """The number of the last heartbeat at a time; the margin is for rounding."""
        beats = np.floor((time - self.phase[device]) / self.interval[device] + 1e-6)
        return np.asarray(np.where(np.isfinite(beats), beats, 0.0).astype(np.int64))

    def beat_lost(self, device: Indices, beat: Floats) -> NDArray[np.bool_]:
        """Whether the radio has lost these heartbeats (times); none before the run.

        Those before and after a run of :attr:`false_flags` are heard, or it would be longer.
        """
        number = self._number(device, beat)
        luck = uniforms_at(self.keys[device], 3 * number + _BEAT)
        lost = (number >= 0) & (luck < self.loss[device])
        found, heard = number[lost] * self.devices + device[lost], self._beside_runs
        at = np.minimum(np.searchsorted(heard, found), len(heard) - 1)
        lost[lost] = heard[at] != found
        return lost

    def state_known(self, device: Indices, time: Floats) -> Floats:
        """When the platform learns of a state that only heartbeats carry and pulls bring."""
        reported = self.heard_again(device, time, np.zeros(len(device), bool))
        for i, (_, rows, start, end) in enumerate(self._per_vendor(device)):
            phase, period = self.pull_phase[i], self.pull_period[i]
            reported[rows] = next_pull(reported[rows], phase, period, start, end)
        return reported

    # -- the same for one device, quickly

    def state_known_one(self, device: int, time: float) -> float:
        """As :meth:`state_known`."""
        heard = self._heard_again_one(device, time, False)
        return self._pulled_one(int(self.vendor[device]), heard)

    def flagged_one(self, device: int, cut_off: float, dead: int | None = None) -> float:
        """When the platform knows that a device is cut off, by heartbeats or from its host.

        Parameters
        ----------
        dead : how many other slaves of its bus are dead; None: there is no host that could tell.
        """
        vendor = int(self.vendor[device])
        rule, phase, interval = self.vendors[vendor], self.phase[device], self.interval[device]
        number = int((cut_off - phase) // interval)
        first = number
        while first > number - rule.missed_heartbeats + 1 and self._beat_lost_one(device, first):
            first -= 1
        flag = float(phase + (first + rule.missed_heartbeats) * interval) + rule.grace
        if dead is not None or self._vendor_down(vendor, phase + (first - 1) * interval, flag):
            one, at = np.array([device]), np.array([cut_off])
            flags = self.vendor_flag(one, at)
            if dead is not None:
                flags = np.minimum(flags, self.host_report(one, at, dead))
            flag = float(flags[0])
        return self._platform_one(device, flag, False)

    def seen_one(self, device: int, restored: float, registers: bool) -> float:
        """When the platform sees a device back that can report from ``restored`` on."""
        heard = self._heard_again_one(device, restored, registers)
        return self._platform_one(device, heard, True)

    def host_tells_one(self, device: int, time: float) -> float:
        """When the platform has from its host what this knows at ``time``: that a slave is dead."""
        told = float(self.host_tells(np.array([device]), np.array([time]))[0])
        return self._platform_one(device, told, False)

    def late_one(self, device: int, sent: float, arrival: float, dead: int) -> float:
        """When a telegram arrives whose bus has dead slaves; ``arrival`` is without them.

        What waits for its host's uplink, or is known by a pull, comes no later.
        """
        one, at = np.array([device]), np.array([sent])
        read = sent + float(self.bus.reads_after(one, at)[0])
        held = self._dark_of.through(int(self.gateway[device]), read) > read
        if held or arrival >= self.state_known_one(device, sent):
            return arrival
        return arrival + float(self.bus.waits(one, at, dead)[0])

    def _heard_again_one(self, device: int, restored: float, registers: bool) -> float:
        """As :meth:`heard_again`."""
        deaf = self._deaf_of
        heard = deaf.through(device, restored)
        if heard > restored:
            return heard
        vendor = int(self.vendor[device])
        phase, interval = float(self.phase[device]), float(self.interval[device])
        if not registers or self._vendor_down(vendor, restored, restored):
            number = int(-((phase - restored) // interval))
            heard = phase + number * interval
            while self._vendor_down(vendor, heard, heard) or self._beat_lost_one(device, number):
                number += 1
                heard = phase + number * interval
            heard = self._loss_runs_of.through(device, heard)
        return deaf.through(device, heard)

    def _platform_one(self, device: int, vendor_time: float, back: bool) -> float:
        """As :meth:`at_platform`."""
        vendor, key = int(self.vendor[device]), int(self.keys[device])
        number = floor((vendor_time - self.phase[device]) / self.interval[device] + 1e-6)
        first, pulled = 3 * (2 * number + back), self._pulled_one(vendor, vendor_time)
        if uniform_at(key, first + _LOSS) < self.vendors[vendor].push_loss:
            return pulled
        delay = -log1p(-uniform_at(key, first + _DELAY)) * self.vendors[vendor].push_delay
        return min(vendor_time + delay, pulled)

    def _pulled_one(self, vendor: int, time: float) -> float:
        """As :func:`twin.vendor.platform.next_pull`."""
        first, period = float(self.pull_phase[vendor]), float(self.pull_period[vendor])
        pull = first - (first - time) // period * period
        for down, up in zip(*self._vendor_downs[vendor], strict=True):
            if down <= pull < up:
                pull = first - (first - up) // period * period
        return pull

    def _beat_lost_one(self, device: int, number: int) -> bool:
        """As :meth:`beat_lost`."""
        loss, key, draw = self.loss[device], int(self.keys[device]), 3 * number + _BEAT
        return bool(
            loss > 0.0
            and number >= 0
            and uniform_at(key, draw) < loss
            and number * self.devices + device not in self._beside_run
        )

    def _vendor_down(self, vendor: int, start: float, end: float) -> bool:
        """Whether the vendor platform is down at any time from start to end."""
        down, up = self._vendor_downs[vendor]
        return any(d <= end and start <= u for d, u in zip(down, up, strict=True))

    @cached_property
    def false_flags(self) -> tuple[Indices, Floats, Floats]:
        """Flags by lost heartbeats alone: device, vendor's flag, vendor's unflag."""
        parts: list[tuple[Indices, Floats, Floats]] = []
        for name, kind in self.slices.items():
            if self.link[kind.start] != NBIOT:
                continue
            devices = np.arange(kind.start, kind.stop)
            for i, (v, here, start, end) in enumerate(self._per_vendor(devices)):
                mine = devices[here]
                device, flag, unflag = lost_heartbeat_flags(
                    self.loss[mine],
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

    @cached_property
    def _loss_runs(self) -> Intervals:
        """The heartbeats of :attr:`false_flags`: from half an interval before the first one."""
        device, flag, unflag = self.false_flags
        missed = np.array([v.missed_heartbeats for v in self.vendors])[self.vendor[device]]
        grace = np.array([v.grace for v in self.vendors])[self.vendor[device]]
        half = self.interval[device] / 2.0
        first = self.last_beats(device, flag - grace + 1e-3)
        for k in range(1, int(missed.max(initial=1))):
            first = np.where(k < missed, self.last_beats(device, first - half), first)
        return merge_intervals(device, first - half, unflag)

    @cached_property
    def _beside_runs(self) -> Indices:
        """The heartbeats before and after them, as number x devices + device, sorted; one at
        infinity comes last."""
        device, since, heard = self._loss_runs
        beats = np.concatenate([self.last_beats(device, since), heard])
        both = np.concatenate([device, device])
        number = self._number(both, beats) * self.devices + both
        return np.append(np.sort(number), np.iinfo(np.int64).max)

    @cached_property
    def _beside_run(self) -> set[int]:
        return set(self._beside_runs.tolist())

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
        luck = self.luck((*name, "way"), device, number, tries + 2)
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
        read = time.copy()
        read[bus] += self.bus.reads_after(device[bus], time[bus])
        arrival = self.around.sent(device, read) + delay
        pushed = np.empty(len(device))
        for i, v in enumerate(self.vendors):
            rows = np.flatnonzero(self.vendor[device] == i)
            handed = through_outages(arrival[rows], *self.vendor_outages.of(i))
            pushed[rows] = handed - np.log1p(-luck[rows, tries]) * v.push_delay
            pushed[rows[luck[rows, tries + 1] < v.push_loss]] = np.inf
        lost = np.where(np.isfinite(pushed), 0, VENDOR).astype(np.int8)
        lost[~delivered] = RADIO
        lost[self.around.without_power(device, time)] = POWER
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
        if len(device) == 0:
            return result
        kinds = list(self.slices.items())
        kind = np.searchsorted([part.start for _, part in kinds], device, side="right") - 1
        order = np.lexsort((number, kind))
        new = (np.diff(kind[order]) != 0) | (np.diff(number[order]) != 0)
        for here in np.split(order, np.flatnonzero(new) + 1):
            word, part = kinds[kind[here[0]]]
            generator = self.streams.generator(*name, word, int(number[here[0]]))
            draw = generator.standard_normal if normal else generator.random
            result[here] = draw((part.stop - part.start, columns))[device[here] - part.start]
        return result


class _OfOne:
    """Intervals of devices, to be asked for one device at a time."""

    def __init__(self, intervals: Intervals, devices: int) -> None:
        who, start, end = intervals
        self._first: list[int] = np.searchsorted(who, np.arange(devices + 1)).tolist()
        self._start: list[float] = start.tolist()
        self._end: list[float] = end.tolist()

    def through(self, device: int, time: float) -> float:
        """As :func:`twin.world.surroundings.through`."""
        for k in range(self._first[device], self._first[device + 1]):
            if self._start[k] <= time < self._end[k]:
                return self._end[k]
        return time
