"""What is around the devices: NB-IoT cells, feeders, uplinks, and when they are down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.network.nbiot import mass_arrivals, random_access
from twin.network.outages import sample_outages
from twin.network.settings import NetworkSettings
from twin.streams import Streams

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

NBIOT, RS485, CELLULAR = 0, 1, 2
LINKS = {"nbiot": NBIOT, "rs485": RS485, "cellular": CELLULAR}


@dataclass(frozen=True)
class Outage:
    """Outages of surroundings: entity number, start and end; one entry per outage, sorted."""

    entity: Indices
    start: Floats
    end: Floats

    @property
    def intervals(self) -> Intervals:
        """The same as a plain tuple."""
        return self.entity, self.start, self.end

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
    """Position in :data:`AREA_CAUSES`."""

    def joined(self, other: Area) -> Area:
        """Both together."""
        columns = ("device", "start", "end", "heard", "cause")
        return Area(*(np.concatenate([getattr(self, c), getattr(other, c)]) for c in columns))


AREA_CAUSES = ("cell outage", "power cut", "uplink outage", "gateway offline")
CELL, CUT, UPLINK, GATEWAY = 0, 1, 2, 3

Intervals = tuple[Indices, Floats, Floats]
"""Device, start and end, by device and time; those of a device do not overlap."""


def through(intervals: Intervals, device: Indices, time: Floats) -> Floats:
    """The times themselves, or the ends of the intervals of their devices that cover them."""
    end, at = intervals[2], _last_begun(intervals, device, time)
    return np.where(at >= 0, np.maximum(time, end[at]), time) if len(end) else time


def _last_begun(intervals: Intervals, device: Indices, time: Floats) -> Indices:
    """The positions of the last intervals of the devices that have begun at the times, or -1."""
    who, start, _ = intervals
    if len(who) == 0 or len(time) == 0:
        return np.full(len(time), -1)
    scale = float(max(time[np.isfinite(time)].max(initial=0.0), start.max())) + 1.0
    sought = device * scale + np.minimum(time, scale)
    at = np.searchsorted(who * scale + start, sought, side="right") - 1
    return np.where((at >= 0) & (who[at] == device), at, -1)


class Surroundings:
    """Cells, feeders and uplinks of a center, and what they do to its devices.

    Parameters
    ----------
    network : settings.
    slices : the contiguous devices of each kind, by name; none is empty.
    venue, gateway, link, mains, coverage, registration : of each device: its venue, what it hangs
        on (-1: nothing), position in :data:`LINKS`, mains-powered, coverage level, seconds of
        registering.
    position : x and y of each venue, metres: neighbours share cells and feeders.
    streams : the center's.
    seconds : the period.

    Attributes
    ----------
    cell, feeder, backup : of each device; seconds that it lasts without mains.
    cells, feeders, uplinks : their outages; an uplink has the number of its device.
    """

    def __init__(
        self,
        network: NetworkSettings,
        slices: Mapping[str, slice],
        venue: Indices,
        gateway: Indices,
        link: NDArray[np.int8],
        mains: NDArray[np.bool_],
        coverage: NDArray[np.int8],
        registration: Floats,
        position: tuple[Floats, Floats],
        streams: Streams,
        seconds: float,
    ) -> None:
        self.gateway, self.link, self.mains = gateway, link, mains
        self.coverage, self.registration = coverage, registration
        self.streams, self.seconds = streams, seconds
        nbiot, power, uplink = network.nbiot, network.power, network.uplink
        rank = _ranks(position, venue)
        self.cell = (rank // nbiot.points_per_cell).astype(np.int64)[venue]
        self.feeder = (rank // power.points_per_feeder).astype(np.int64)[venue]
        self.backup = np.where(link == CELLULAR, power.gateway_backup, power.device_backup)

        def outages(name: str, number: int, rate: float, mean: float) -> Outage:
            return Outage(*sample_outages(name, number, rate, mean, streams, seconds))

        cells = int(self.cell.max(initial=-1)) + 1
        self.cells = outages("cell_outage", cells, nbiot.cell_outages, nbiot.cell_outage)
        feeders = int(self.feeder.max(initial=-1)) + 1
        self.feeders = outages("power_cut", feeders, power.cuts, power.cut)
        uplinks = [Outage(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))]
        for name, here in slices.items():
            if link[here.start] == CELLULAR:
                number = here.stop - here.start
                of_kind = outages(f"uplink_outage/{name}", number, uplink.outages, uplink.outage)
                uplinks.append(Outage(of_kind.entity + here.start, of_kind.start, of_kind.end))
        self.uplinks = Outage(
            np.concatenate([o.entity for o in uplinks]),
            np.concatenate([o.start for o in uplinks]),
            np.concatenate([o.end for o in uplinks]),
        )

    def affected(
        self,
    ) -> tuple[Indices, Floats, Floats, NDArray[np.int8], NDArray[np.bool_]]:
        """Who cannot report when for want of cell, power or uplink.

        Returns
        -------
        device, start, back, cause, registers : one entry per device and outage: from when on it
            cannot and can again report, a position in :data:`AREA_CAUSES`, and whether it is heard
            as soon as it can. What hangs on a gateway shares its fate.
        """
        nbiot, mains = np.flatnonzero(self.link == NBIOT), np.flatnonzero(self.mains)
        everyone = np.arange(len(self.link))
        parts = (
            self._hit(self.cells, nbiot, self.cell[nbiot]),
            self._hit(self.feeders, mains, self.feeder[mains], self.backup),
            self._hit(self.uplinks, everyone, everyone),
        )
        device, start, end = (np.concatenate([part[k] for part in parts]) for k in range(3))
        cause = np.repeat([CELL, CUT, UPLINK], [len(part[0]) for part in parts]).astype(np.int8)
        registers = self.mains[device]
        back = np.where(registers, end + self._access(device, end, registers), end)
        rows, slave = self.behind(device)
        return (
            np.concatenate([device, slave]),
            np.concatenate([start, start[rows]]),
            np.concatenate([back, back[rows]]),
            np.concatenate([cause, cause[rows]]),
            np.concatenate([registers, registers[rows]]),
        )

    def behind(self, device: Indices) -> tuple[Indices, Indices]:
        """What hangs on these devices and shares their fate: positions in ``device``, slaves."""
        order = np.argsort(self.gateway, kind="stable")
        first = np.searchsorted(self.gateway[order], device, side="left")
        last = np.searchsorted(self.gateway[order], device, side="right")
        count = last - first
        rows = np.repeat(np.arange(len(device)), count)
        offset = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        return rows, order[first[rows] + offset]

    def gateways(self) -> NDArray[np.bool_]:
        """Which devices have others behind them."""
        result = np.zeros(len(self.link), bool)
        result[self.gateway[self.gateway >= 0]] = True
        return result

    def _hit(
        self,
        outages: Outage,
        device: Indices,
        entity: Indices,
        backup: Floats | None = None,
    ) -> tuple[Indices, Floats, Floats]:
        """The devices of each outage's entity, for as long as no backup bridges it."""
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
        return who[lasts], start[lasts], end[lasts]

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

    def without_power(self, device: Indices, time: Floats) -> NDArray[np.bool_]:
        """Which devices have neither mains nor backup at that time."""
        if len(self.feeders.entity) == 0:
            return np.zeros(len(device), bool)
        cut = _last_begun(self.feeders.intervals, self.feeder[device], time)
        start = np.where(cut >= 0, self.feeders.start[cut] + self.backup[device], np.inf)
        out: NDArray[np.bool_] = (
            self.mains[device] & (start <= time) & (time < self.feeders.end[cut])
        )
        return out

    def sent(self, device: Indices, time: Floats) -> Floats:
        """When a telegram gets out: at once, or when cell or uplink are back."""
        gateway = np.where(self.link == RS485, self.gateway, np.arange(len(self.link)))[device]
        return np.where(
            self.link[device] == NBIOT,
            through(self.cells.intervals, self.cell[device], time),
            through(self.uplinks.intervals, gateway, time),
        )


def _ranks(position: tuple[Floats, Floats], venue: Indices) -> Floats:
    """Points before each venue, squares of 1 km one after the other."""
    x, y = position
    side = 1000.0
    order = np.lexsort((y, x, np.floor(y / side), np.floor(x / side)))
    points = np.bincount(venue, minlength=len(x))
    rank = np.empty(len(x))
    rank[order] = np.cumsum(points[order]) - points[order]
    return rank
