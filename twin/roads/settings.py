"""What a scenario says about its roads: which map, how fast, how congested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from twin.quantity import Seconds, Settings, Share, Speed, param

ROAD_CLASSES = (
    "motorway",
    "motorway_link",
    "trunk",
    "trunk_link",
    "primary",
    "primary_link",
    "secondary",
    "secondary_link",
    "tertiary",
    "tertiary_link",
    "unclassified",
    "residential",
    "living_street",
    "road",
    "service",
    "track",
)
"""The OSM ``highway`` values that a motor vehicle may use; a network stores their index."""

VEHICLE_SPEEDS: Mapping[str, str] = {
    "motorway": "90 km/h",
    "motorway_link": "45 km/h",
    "trunk": "85 km/h",
    "trunk_link": "40 km/h",
    "primary": "65 km/h",
    "primary_link": "30 km/h",
    "secondary": "55 km/h",
    "secondary_link": "25 km/h",
    "tertiary": "40 km/h",
    "tertiary_link": "20 km/h",
    "unclassified": "25 km/h",
    "residential": "25 km/h",
    "living_street": "10 km/h",
    "road": "25 km/h",
    "service": "15 km/h",
    "track": "15 km/h",
}

ENGINE_SPEEDS: Mapping[str, str] = {
    "motorway": "90 km/h",
    "motorway_link": "50 km/h",
    "trunk": "85 km/h",
    "trunk_link": "45 km/h",
    "primary": "75 km/h",
    "primary_link": "40 km/h",
    "secondary": "65 km/h",
    "secondary_link": "35 km/h",
    "tertiary": "50 km/h",
    "tertiary_link": "30 km/h",
    "unclassified": "35 km/h",
    "residential": "35 km/h",
    "living_street": "15 km/h",
    "road": "35 km/h",
    "service": "20 km/h",
    "track": "15 km/h",
}


def _over(defaults: Mapping[str, Any]) -> BeforeValidator:
    """A partial table of the file overrides single entries of the defaults."""

    def merge(given: object) -> object:
        return {**defaults, **given} if isinstance(given, Mapping) else given

    return BeforeValidator(merge)


def _check_classes(names: Mapping[str, Any], table: str) -> None:
    unknown = [name for name in names if name not in ROAD_CLASSES]
    if unknown:
        raise ValueError(
            f"{table}: {unknown[0]!r} is no road class; the classes are {', '.join(ROAD_CLASSES)}"
        )


class Congestion(Settings):
    """A period of the week in which traffic is slower than in free flow.

    Parameters
    ----------
    days : Monday to Friday, or Saturday and Sunday.
    start, end : whole hours of the day, the end not included.
    slowdown : travel time against free flow by road class, at least 1; a link takes the factor of
        its road, a class that is not named 1.
    """

    days: Literal["weekday", "weekend"]
    start: int = Field(ge=0, le=23)
    end: int = Field(ge=1, le=24)
    slowdown: dict[str, Annotated[float, Field(ge=1.0)]]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.end <= self.start:
            raise ValueError(
                f"start = {self.start} and end = {self.end}: the end has to come after the start "
                "(a period over midnight is two periods)"
            )
        _check_classes(self.slowdown, "slowdown")
        return self

    def hours(self) -> list[int]:
        """The hours of the week (Monday 0 h is 0) that the period covers."""
        days = range(5) if self.days == "weekday" else range(5, 7)
        return [24 * day + hour for day in days for hour in range(self.start, self.end)]


_PEAK = {"motorway": 1.05, "trunk": 1.2, "primary": 1.25, "secondary": 1.25, "tertiary": 1.15}
_DAY = {"trunk": 1.05, "primary": 1.1, "secondary": 1.1, "tertiary": 1.05}
_STREETS = {"residential": 1.1, "unclassified": 1.05, "living_street": 1.1, "service": 1.05}

CONGESTION: Mapping[str, Mapping[str, Any]] = {
    "weekday_morning": {"days": "weekday", "start": 7, "end": 9, "slowdown": _PEAK | _STREETS},
    "weekday_day": {"days": "weekday", "start": 9, "end": 17, "slowdown": _DAY},
    # the evening peak is the heavier one on secondary roads: shops and schools as well as work
    "weekday_evening": {
        "days": "weekday",
        "start": 17,
        "end": 19,
        "slowdown": _PEAK | _STREETS | {"primary": 1.35, "secondary": 1.35},
    },
    "weekend_day": {"days": "weekend", "start": 9, "end": 19, "slowdown": _DAY},
}


class RoadSettings(Settings):
    """Which map the roads come from, and how fast one drives on them.

    With neither ``file`` nor ``place`` the built-in township is used. Without a source of its own,
    congestion is an assumption; it is set by period and road class so that a local survey can
    replace it.
    """

    file: str | None = param(
        None, "map file: .osm.pbf, .osm, .osm.gz or osmnx GraphML", "input of the scenario"
    )
    place: str | None = param(
        None, "place name, looked up at OpenStreetMap (needs a network)", "input of the scenario"
    )
    townships: int = param(
        1,
        "townships of the built-in map, side by side; more than one make a district",
        "input of the scenario",
        least=1,
        most=100,
    )
    hazards_file: str | None = param(
        None,
        "GeoJSON of points and polygons with a property kind = dangerous_chemicals or "
        "filling_station",
        "input of the scenario",
    )
    speeds: Annotated[dict[str, Speed], _over(VEHICLE_SPEEDS)] = param(
        VEHICLE_SPEEDS,
        "free-flow speed of an ordinary vehicle by road class, where no maxspeed is tagged",
        "car profile of the OSRM routing engine (speeds by highway class); road and track: "
        "assumption",
        vary="-20 % to +20 %",
    )
    engine_speeds: Annotated[dict[str, Speed], _over(ENGINE_SPEEDS)] = param(
        ENGINE_SPEEDS,
        "speed of a fire engine by road class, not bound by maxspeed",
        "assumption: up to 10 km/h above an ordinary vehicle, as the law frees it of the limit "
        "(Sichuan regulations, art. 44); no faster than it on a motorway",
        vary="-20 % to +20 %",
    )
    engine_top_speed: Speed = param(
        "90 km/h", "a loaded fire engine goes no faster", "assumption", vary="80 km/h to 100 km/h"
    )
    congestion: Annotated[dict[str, Congestion], _over(CONGESTION)] = param(
        CONGESTION,
        "periods of slower traffic, by name; an hour in no period is free flow",
        "assumption",
        vary="slowdown 1 to 2",
    )
    engine_congestion: Share = param(
        "30 %",
        "share of the congestion's extra time that a fire engine with siren still loses",
        "assumption",
        vary="0 % to 60 %",
    )
    junction_delay: Seconds = param(
        "4 s",
        "time that an ordinary vehicle loses at a junction, mean over turns and signals",
        "assumption (slowing from 50 to 25 km/h and back at 1.5 and 2 m/s2 costs 2 s, waiting "
        "comes on top)",
        vary="1 s to 10 s",
    )
    engine_junction_delay: Seconds = param(
        "2.5 s",
        "the same for a fire engine, which has the right of way",
        "assumption (slowing from 60 to 30 km/h and back at 1 and 1.5 m/s2 costs 3.5 s; not at "
        "every junction)",
        vary="0.5 s to 5 s",
    )
    start_stop: Seconds = param(
        "8 s",
        "time that an ordinary vehicle loses by starting and stopping, once a trip",
        "v/2 (1/a + 1/b) at 50 km/h with 1.5 and 2 m/s2; the accelerations are an assumption",
        vary="4 s to 15 s",
    )
    engine_start_stop: Seconds = param(
        "14 s",
        "the same for a fire engine",
        "v/2 (1/a + 1/b) at 60 km/h with 1 and 1.5 m/s2; the accelerations are an assumption",
        vary="8 s to 25 s",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.file is not None and self.place is not None:
            raise ValueError(
                f"file = {self.file!r} and place = {self.place!r}: give one of the two"
            )
        given = self.file or self.place
        if given is not None and self.townships > 1:
            raise ValueError(
                f"townships = {self.townships} is of the built-in map, but the roads are those of "
                f"{given!r}: leave one of the two out"
            )
        _check_classes(self.speeds, "speeds")
        _check_classes(self.engine_speeds, "engine_speeds")
        taken: dict[int, str] = {}
        for name, period in self.congestion.items():
            for hour in period.hours():
                if hour in taken:
                    raise ValueError(
                        f"congestion: {taken[hour]!r} and {name!r} both cover the {period.days} "
                        f"hour {hour % 24}; periods may not overlap"
                    )
                taken[hour] = name
        return self
