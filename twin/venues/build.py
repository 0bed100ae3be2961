"""Builds the venues of an area and the fleet of devices in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from devices.kinds import KIND_NAMES, KINDS
from twin.network.rs485 import SLAVES_PER_SEGMENT
from twin.streams import Streams
from twin.venues.files import POINT_KINDS, VenueList, read_venues
from twin.venues.kinds import VENUE_KIND_NAMES, VENUE_KINDS
from twin.venues.settings import VenueSettings

if TYPE_CHECKING:
    from twin.roads.network import RoadNetwork

HOST = "electrical_fire_host"
_YEAR_S = 365.25 * 86400.0
_BUS_KINDS = tuple(name for name in POINT_KINDS if KINDS[name].link == "rs485")
_INDUSTRIAL_USES = frozenset(
    {"industrial", "factory", "warehouse", "manufacture", "works", "hangar"}
)
_INDUSTRIAL_KINDS = ("enterprise", "local_alarm_unit")
_STREETS = ("tertiary", "unclassified", "residential", "living_street", "road")
_ZONES = ("open", "village", "town", "industrial")

Floats = NDArray[np.float64]
Indices = NDArray[np.int32]


@dataclass(frozen=True)
class Venues:
    """All venues; arrays have one entry per venue.

    Parameters
    ----------
    ids : names.
    kind : index into :data:`~twin.venues.kinds.VENUE_KIND_NAMES`.
    x, y : metres in the road network's projection.
    node : nearest node of the road network.
    road_offset_m : straight distance to that node, metres.
    responsible : responsible people registered.
    answer : (venue kinds, 24) odds that one of them answers the telephone, by kind and hour.
    video : has video for verification.
    fire_rate_per_year : incipient fires per year.
    contract_end_s : when the running contract ends, s from t = 0.
    center : the center that each belongs to by the file of venues; "" where its place decides.
    """

    ids: list[str]
    kind: NDArray[np.int8]
    x: Floats
    y: Floats
    node: Indices
    road_offset_m: Floats
    responsible: NDArray[np.int16]
    answer: Floats
    video: NDArray[np.bool_]
    fire_rate_per_year: Floats
    contract_end_s: Floats
    center: list[str]


@dataclass(frozen=True)
class Fleet:
    """All devices, sorted by kind, then venue; arrays have one entry per device.

    Parameters
    ----------
    kind : index into :data:`devices.kinds.KIND_NAMES`.
    venue : index into the venues.
    gateway : index of the device's gateway within the fleet, -1 without one.
    number : 1, 2, ... among the devices of its kind in its venue.
    kind_slices : the slice of each kind (empty slices included).
    venue_ids : names of the venues.
    """

    kind: NDArray[np.int8]
    venue: Indices
    gateway: Indices
    number: Indices
    kind_slices: dict[str, slice]
    venue_ids: list[str]

    @cached_property
    def ids(self) -> list[str]:
        """Names of the devices, ``venue/kind-number``; made when first asked for."""
        names, venues = KIND_NAMES, self.venue_ids
        columns = zip(self.kind.tolist(), self.venue.tolist(), self.number.tolist(), strict=True)
        return [f"{venues[v]}/{names[k]}-{n}" for k, v, n in columns]

    @property
    def is_point(self) -> NDArray[np.bool_]:
        """Which devices are networked points (5.1.12); gateways are not."""
        return np.array([KINDS[name].is_point for name in KIND_NAMES])[self.kind]

    @property
    def points(self) -> int:
        """Number of networked points."""
        return int(self.is_point.sum())


def build_venues(
    settings: VenueSettings, network: RoadNetwork, streams: Streams
) -> tuple[Venues, Fleet]:
    """Venues and fleet of an area: from a file, in the map's buildings, or along its streets.

    Generated venues are added in the order of their ids until the fleet has exactly
    ``settings.points`` points, so a larger fleet begins with the smaller one's venues.

    Raises
    ------
    ValueError
        For a bad file of venues, or where the map has no buildings although they are asked for.
    """
    if settings.file is not None:
        listed = read_venues(settings, network)
        counts = listed.counts
        if counts is None:
            counts = _draw_counts(listed.kind, streams)
    else:
        listed, counts = _generate(settings, network, streams)
    n = len(listed.ids)
    video = streams.generator("venue_video").random(n) < settings.video_share
    contract_end_s = streams.generator("contract_end").random(n) * settings.service_cycle
    by_now = connected(listed.kind, settings.connected)
    ids = [listed.ids[venue] for venue in by_now.tolist()]
    kind, x, y = listed.kind[by_now], listed.x[by_now], listed.y[by_now]
    node, offset = network.nearest(x, y)
    per_kind = np.array([settings.fires[name] for name in VENUE_KIND_NAMES]) * _YEAR_S
    venues = Venues(
        ids=ids,
        kind=kind,
        x=x,
        y=y,
        node=node.astype(np.int32),
        road_offset_m=offset,
        responsible=listed.responsible[by_now],
        answer=_answer(settings),
        video=video[by_now],
        fire_rate_per_year=per_kind[kind],
        contract_end_s=contract_end_s[by_now],
        center=[listed.center[venue] for venue in by_now.tolist()],
    )
    return venues, _fleet(counts[by_now], ids)


def connected(kind: NDArray[np.int8], shares: Mapping[str, float]) -> NDArray[np.intp]:
    """The venues that are connected so far: of each kind the first ones, rounded up.

    Raises
    ------
    ValueError
        No venue is.
    """
    keep = np.ones(kind.size, bool)
    for number, name in enumerate(VENUE_KIND_NAMES):
        here = np.flatnonzero(kind == number)
        keep[here[int(np.ceil(shares.get(name, 1.0) * here.size - 1e-9)) :]] = False
    if not keep.any():
        raise ValueError("venues.connected: no venue is connected, so there is nothing to watch")
    return np.flatnonzero(keep)


def _answer(settings: VenueSettings) -> Floats:
    odds = np.array([settings.answer[name] for name in VENUE_KIND_NAMES])
    hours = np.where(np.arange(24) < 6, settings.night_answer, 1.0)
    return np.asarray(np.outer(odds, hours))


def _generate(
    settings: VenueSettings, network: RoadNetwork, streams: Streams
) -> tuple[VenueList, Indices]:
    shares = np.array([settings.mix.get(name, 0.0) for name in VENUE_KIND_NAMES])
    mean = sum(
        share * sum(count.mean for count in VENUE_KINDS[name].devices.values())
        for share, name in zip(shares, VENUE_KIND_NAMES, strict=True)
    )
    n = int(1.2 * settings.points / mean) + 50
    while True:
        edges = np.cumsum(shares) / shares.sum()
        luck = streams.generator("venue_kind").random(n)
        kind = np.searchsorted(edges, luck, side="right").astype(np.int8)
        counts = _draw_counts(kind, streams)
        reached = np.cumsum(counts.sum(axis=1))
        if reached[-1] >= settings.points:
            break
        n *= 2
    n = int(np.searchsorted(reached, settings.points)) + 1
    kind, counts = kind[:n], counts[:n]
    _take_away(counts[-1], int(reached[n - 1]) - settings.points)
    luck = streams.generator("venue_place").random((n, 3))
    place = _in_buildings if settings.buildings else _along_streets
    x, y = place(kind, luck, network, settings.road_limit)
    responsible = np.full(n, settings.responsible, np.int16)
    ids = [f"V{i + 1:05d}" for i in range(n)]
    return VenueList(ids, kind, x, y, responsible, counts, [""] * n), counts


def _draw_counts(kind: NDArray[np.int8], streams: Streams) -> Indices:
    """Points of each venue by device kind; one draw each decides whether and how many."""
    counts = np.zeros((kind.size, len(POINT_KINDS)), np.int32)
    for column, device in enumerate(POINT_KINDS):
        rules = [VENUE_KINDS[name].devices.get(device, (0.0, 0, 0)) for name in VENUE_KIND_NAMES]
        if not any(share for share, _, _ in rules):
            continue
        share, least, most = np.array(rules)[kind].T
        luck = streams.generator("venue_devices", device).random(kind.size)
        has = luck < share
        within = luck[has] / share[has]
        counts[has, column] = least[has] + np.floor(within * (most[has] - least[has] + 1))
    return counts


def _take_away(counts: Indices, excess: int) -> None:
    """Takes devices off one venue, the rarer kinds first."""
    for column in reversed(range(counts.size)):
        taken = min(excess, int(counts[column]))
        counts[column] -= taken
        excess -= taken


def _along_streets(
    kind: NDArray[np.int8],
    luck: Floats,
    network: RoadNetwork,
    road_limit: float,  # noqa: ARG001 - the same call as for buildings
) -> tuple[Floats, Floats]:
    """Places 8 to 40 m beside streets, in the areas that suit the kind."""
    from shapely import contains_xy, prepare

    from twin.roads.settings import ROAD_CLASSES

    start, end = network.start, network.end
    middle_x, middle_y = (
        (network.x[start] + network.x[end]) / 2,
        (network.y[start] + network.y[end]) / 2,
    )
    prepare(network.boundary)
    inside = contains_xy(network.boundary, middle_x, middle_y)
    street = np.isin(network.road_class, [ROAD_CLASSES.index(name) for name in _STREETS])
    usable = next(e for e in (inside & street, inside, np.ones(start.size, bool)) if e.any())
    edge = np.flatnonzero(usable)
    start, end, length = start[edge], end[edge], network.length[edge]

    zone = np.zeros(edge.size, np.intp)
    for number, name in enumerate(_ZONES[1:], 1):
        for f in network.features:
            if f.kind == name:
                zone[np.hypot(middle_x[edge] - f.x, middle_y[edge] - f.y) <= f.radius_m] = number
    in_zone = np.bincount(zone, length, len(_ZONES))

    x, y = np.empty(kind.size), np.empty(kind.size)
    for k, name in enumerate(VENUE_KIND_NAMES):
        here = np.flatnonzero(kind == k)
        if here.size == 0:
            continue
        wanted = np.array([VENUE_KINDS[name].places.get(z, 0.0) for z in _ZONES])
        with np.errstate(divide="ignore", invalid="ignore"):
            per_metre = np.where(in_zone > 0, wanted / in_zone, 0.0)
        weight = length * (per_metre[zone] if per_metre.any() else 1.0)
        reach = np.cumsum(weight)
        pick = np.searchsorted(reach / reach[-1], luck[here, 0], side="right")
        a, b = start[pick], end[pick]
        dx, dy = network.x[b] - network.x[a], network.y[b] - network.y[a]
        span = np.maximum(np.hypot(dx, dy), 1e-9)
        side = 2 * luck[here, 2] - 1
        off = np.copysign(8 + 32 * np.abs(side), side)
        x[here] = network.x[a] + luck[here, 1] * dx - off * dy / span
        y[here] = network.y[a] + luck[here, 1] * dy + off * dx / span
    return x, y


def _in_buildings(
    kind: NDArray[np.int8], luck: Floats, network: RoadNetwork, road_limit: float
) -> tuple[Floats, Floats]:
    """Places in the map's buildings; industrial kinds in industrial ones, if there are any."""
    from shapely import contains_xy

    found = [f for f in network.features if f.kind == "building"]
    bx, by = np.array([f.x for f in found], float), np.array([f.y for f in found], float)
    if found:
        near = network.nearest(bx, by)[1] <= road_limit
        near &= contains_xy(network.boundary, bx, by)
    usable = np.flatnonzero(near) if found else np.empty(0, np.intp)
    if usable.size == 0:
        raise ValueError(
            f"venues.buildings: {network.source} has no buildings within its area; "
            f"set venues.buildings = false to place venues along the streets"
        )
    works = np.array([found[i].use in _INDUSTRIAL_USES for i in usable])
    industrial = np.isin(kind, [VENUE_KIND_NAMES.index(name) for name in _INDUSTRIAL_KINDS])
    x, y = np.empty(kind.size), np.empty(kind.size)
    for group, mine in ((industrial, works), (~industrial, ~works)):
        pool = usable[mine] if mine.any() else usable
        chosen = pool[(luck[group, 0] * pool.size).astype(np.intp)]
        x[group], y[group] = bx[chosen], by[chosen]
    return x, y


def _fleet(counts: Indices, venue_ids: list[str]) -> Fleet:
    """The devices of counts (venues, point kinds), and the hosts of those on RS485."""
    slaves = counts[:, [POINT_KINDS.index(name) for name in _BUS_KINDS]].sum(axis=1)
    hosts = -(-slaves // SLAVES_PER_SEGMENT)
    number_of = {name: counts[:, i] for i, name in enumerate(POINT_KINDS)} | {HOST: hosts}
    empty = np.zeros(len(venue_ids), np.int32)

    slices: dict[str, slice] = {}
    total = 0
    for name in KIND_NAMES:
        size = int(number_of.get(name, empty).sum())
        slices[name] = slice(total, total + size)
        total += size
    kind = np.empty(total, np.int8)
    venue = np.empty(total, np.int32)
    number = np.empty(total, np.int32)
    gateway = np.full(total, -1, np.int32)
    first_host = slices[HOST].start + np.cumsum(hosts) - hosts
    on_bus = np.zeros(len(venue_ids), np.int64)
    for index, name in enumerate(KIND_NAMES):
        here, many = slices[name], number_of.get(name, empty)
        where = np.repeat(np.arange(len(venue_ids)), many)
        rank = np.arange(where.size) - np.repeat(np.cumsum(many) - many, many)
        kind[here], venue[here], number[here] = index, where, rank + 1
        if name in _BUS_KINDS:
            gateway[here] = first_host[where] + (on_bus[where] + rank) // SLAVES_PER_SEGMENT
            on_bus += many
    return Fleet(kind, venue, gateway, number, slices, venue_ids)
