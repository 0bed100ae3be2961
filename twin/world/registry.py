"""The registry, roster, checklist and reach of a center, as the log's first rows.

With them the log stands alone: the assessment needs nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devices import KIND_NAMES, DeviceKind
from twin.log import LogWriter
from twin.scenario import Scenario
from twin.terms import Kind
from twin.venues.build import Fleet, Venues
from twin.venues.kinds import VENUE_KIND_NAMES
from twin.world.way import Way


@dataclass(frozen=True)
class Place:
    """Where a center stands, and what its site means, worked out before the run.

    Attributes
    ----------
    name : the center's.
    place_of : the place of each venue in the center's ways (0 is the center).
    engine_s : for each brigade station, an engine's seconds to each place in free flow.
    rows : log rows about the site (5.1.1, 5.1.2): kind, subject, value, text.
    """

    name: str
    place_of: NDArray[np.int64]
    engine_s: list[list[float]]
    rows: tuple[tuple[Kind, str, float, str], ...]


def write_registry(
    log: LogWriter,
    scenario: Scenario,
    place: Place,
    venues: Venues,
    fleet: Fleet,
    kinds: Mapping[str, DeviceKind],
    way: Way,
) -> None:
    """Writes everything that is known at the start of the period."""
    settings = scenario.centers[place.name]
    log.row(0.0, Kind.PERIOD_START, place.name, value=scenario.duration, text=scenario.time_zone)
    log.row(scenario.duration, Kind.PERIOD_END, place.name)
    log.block(
        np.zeros(len(venues.ids)),
        Kind.VENUE,
        log.codes(venues.ids),
        value=venues.responsible,
        text=log.codes(VENUE_KIND_NAMES)[venues.kind],
    )
    log.block(
        np.zeros(len(fleet.ids)),
        Kind.DEVICE,
        log.codes(fleet.ids),
        value=fleet.is_point,
        text=_device_texts(log, scenario, venues, fleet, kinds, way),
    )
    for name, person in settings.roster.roster().items():
        facts = {"role": person.role, "trained": person.trained, "team": person.team}
        hours = person.training / 3600.0
        log.row(0.0, Kind.PERSON, name, value=hours, text=json.dumps(facts))
    for item, value in settings.checklist.items():
        log.row(0.0, Kind.CHECKLIST, item, value=float(value))
    for sector, share in settings.wind.items():
        log.row(0.0, Kind.WIND, sector, value=share)
    for kind, subject, value, text in place.rows:
        log.row(0.0, kind, subject, value=value, text=text)


def _device_texts(
    log: LogWriter,
    scenario: Scenario,
    venues: Venues,
    fleet: Fleet,
    kinds: Mapping[str, DeviceKind],
    way: Way,
) -> NDArray[np.int32]:
    """Codes of the devices' descriptions; devices of one kind in one venue share theirs."""
    vendors = list(scenario.vendors)
    key = fleet.venue.astype(np.int64) * len(KIND_NAMES) + fleet.kind
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    heads = [
        f'{{"kind": "{name}", "category": "{kinds[name].category}", '
        f'"conforms": {json.dumps(scenario.conforms.get(name, True))}, "venue": '
        for name in KIND_NAMES
    ]
    tails = [f', "vendor": {json.dumps(vendor)}}}' for vendor in vendors]
    quoted = [json.dumps(venue) for venue in venues.ids]
    texts = [
        heads[kind] + quoted[venue] + tails[vendor]
        for kind, venue, vendor in zip(
            fleet.kind[first].tolist(),
            fleet.venue[first].tolist(),
            way.vendor[first].tolist(),
            strict=True,
        )
    ]
    return log.codes(texts)[inverse]
