"""A center's fleet at other numbers of points.

Where the venues of the one center are generated, the scenario's number of points says it all. Else
(several centers, venues from a file, venues that are connected in part) the center's own venues are
taken in a random order, and again in another one once all are used up, until there are as many
points as asked: places, kinds and devices are those that the center has. A larger fleet begins with
the smaller one's venues, so that they share their luck.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twin.experiment.replicate import Changes, travel_of
from twin.scenario import Scenario
from twin.streams import Streams
from twin.venues.build import build_venues
from twin.venues.files import POINT_KINDS
from twin.venues.kinds import VENUE_KIND_NAMES
from twin.world import simulate

CLOSE = 0.05
"""A fleet of whole venues may miss the points asked for by this share; else it is left out."""

Fleets = Callable[[int], Changes | None]
"""The scenario's changes for a number of points; None where whole venues do not come to it."""


def generated(scenario: Scenario) -> bool:
    """Whether the scenario's number of points is that of its one center."""
    venues = scenario.venues
    return len(scenario.centers) == 1 and venues.file is None and not venues.connected


def fleets_of(scenario: Scenario, center: str, folder: Path) -> Fleets:
    """How a center gets a fleet of any number of points.

    Parameters
    ----------
    scenario, center : the center, whose roads, people and procedure stay.
    folder : an empty one, for files of venues.
    """
    if generated(scenario):
        return lambda points: {"venues.points": points}
    rows, sizes = _venues_of(scenario, center)
    streams = Streams(scenario.seed).within("fleets")
    centers = scenario.model_dump(mode="json", exclude_none=True)["centers"]

    def fleet(points: int) -> Changes | None:
        taken = in_turn(sizes, points, streams)
        if abs(int(sizes[taken].sum()) - points) > CLOSE * points:
            return None
        path = folder / f"{points}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "lon", "lat", "kind", "responsible", *POINT_KINDS])
            for number, venue in enumerate(taken.tolist()):
                name, *cells = rows[venue]
                writer.writerow([f"{name}/{number // len(rows) + 1}", *cells])
        return {
            "centers": {center: centers[center]},
            "venues.file": str(path),
            "venues.coordinates": "wgs84",
            "venues.connected": {},
        }

    return fleet


def in_turn(sizes: NDArray[np.int64], points: int, streams: Streams) -> NDArray[np.int64]:
    """Venues in a random order, round after round, until they come nearest to a number of points.

    Parameters
    ----------
    sizes : points of each venue, at least one of them not 0.
    points : asked for.
    streams : one stream for each round.

    Returns
    -------
    Numbers of the venues; none twice in a round.
    """
    rounds = range(points // int(sizes.sum()) + 1)
    order = np.concatenate([streams.generator("round", k).permutation(len(sizes)) for k in rounds])
    reached = np.cumsum(sizes[order])
    nearest = int(np.argmin(np.abs(reached - points)))
    taken: NDArray[np.int64] = order[: nearest + 1]
    return taken


def _venues_of(
    scenario: Scenario, center: str
) -> tuple[Sequence[Sequence[object]], NDArray[np.int64]]:
    """The center's venues as rows of a file, and their points."""
    travel = travel_of(scenario)
    run = simulate(scenario.changed(duration="1 d"), processes=1, only=center, travel=travel)
    mine = set(run.sites[center].venue_ids)
    venues, fleet = build_venues(
        scenario.venues, travel.network, Streams(scenario.seed).within("venues")
    )
    counts = np.zeros((len(venues.ids), len(POINT_KINDS)), np.int64)
    for column, kind in enumerate(POINT_KINDS):
        of_kind = fleet.venue[fleet.kind_slices[kind]]
        counts[:, column] = np.bincount(of_kind, minlength=len(venues.ids))
    lon, lat = travel.network.unproject(venues.x, venues.y)
    here = [number for number, name in enumerate(venues.ids) if name in mine]
    rows = [
        [
            venues.ids[venue],
            f"{lon[venue]:.7f}",
            f"{lat[venue]:.7f}",
            VENUE_KIND_NAMES[venues.kind[venue]],
            int(venues.responsible[venue]),
            *counts[venue].tolist(),
        ]
        for venue in here
    ]
    return rows, counts[here].sum(axis=1)
