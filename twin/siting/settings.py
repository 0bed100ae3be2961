"""What a scenario says about choosing sites: question, candidates, limits, prices."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from twin import standard
from twin.quantity import DAY_S, TIME_UNITS, Metres, Quantity, Seconds, Settings, Share, param

Objective = Literal["fewest", "best", "mean", "worst", "capacitated", "cheapest"]
WITH_K = ("best", "mean", "worst")
"""Objectives that ask where a given number of centers stands best."""

SolveTime = Annotated[float, Quantity("time", TIME_UNITS, "60 s", least=1.0, most=DAY_S)]

COMPASS = (
    "N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE",
    "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW",
)  # fmt: skip
"""Sectors of a wind rose by name, 22.5 degrees each, clockwise from north."""


class StandingSettings(Settings):
    """A center that stands already."""

    lon: float = param(..., "longitude, WGS-84", "input", least=-180, most=180)
    lat: float = param(..., "latitude, WGS-84", "input", least=-90, most=90)


class SitingSettings(Settings):
    """How many centers, where, and with what (`twin site`)."""

    objective: Objective = param(
        "fewest",
        "fewest: as few centers as reach everything; best, mean, worst: the k centers that reach "
        "the most points, with the least mean time, with the least worst time; capacitated: fewest "
        "with none above the capacity; cheapest: the least price, where a center above the "
        "capacity has more people on each shift (5.1.12)",
        "input",
    )
    k: int | None = param(
        None, "centers to place, for best, mean and worst", "input", least=1, most=1000
    )
    capacity: int = param(
        standard.POINTS_PER_CENTER,
        "networked points of a center, without more people on each shift",
        "DB3211/T 1066-2023, 5.1.12",
        vary="5000 to 40000",
        least=1,
        most=100_000_000,
    )
    split: bool = param(
        True, "the points of one venue may belong to several centers (capacitated)", "input"
    )
    price_center: float = param(
        400_000.0,
        "price of a center a year without its people: rooms, platform, vehicles (any currency)",
        "assumption",
        vary="150000 to 1000000",
        least=0,
    )
    price_person: float = param(
        90_000.0,
        "price of a person a year, in the same currency",
        "assumption",
        vary="60000 to 150000",
        least=0,
    )
    points_per_maintainer: int = param(
        3000,
        "points that one maintenance person looks after, for the scenarios that come out",
        "assumption; `twin size` works it out",
        vary="1500 to 5000",
        least=1,
    )
    travel_limit: Seconds = param(
        f"{standard.TRAVEL_S / 60:g} min",
        "from the dispatch order to every point and to the edge, ordinary vehicle, worst hour",
        "DB3211/T 1066-2023, 5.1.1",
    )
    radius: Metres = param(
        f"{standard.RADIUS_M / 1000:g} km",
        "service radius, straight line",
        "DB3211/T 1066-2023, 5.1.1",
    )
    edge: bool = param(
        True,
        "the edge of the district and all its roads have to be reached, not only the venues: then "
        "the edge of every area is, wherever it runs",
        "DB3211/T 1066-2023, 5.1.1: to the edge of the area",
    )
    candidates: Literal["nodes", "buildings", "file"] = param(
        "nodes", "where a center may stand: road nodes, the map's buildings, a file", "input"
    )
    candidates_file: str | None = param(
        None, "CSV or GeoJSON of sites: lon, lat, name (optional)", "input"
    )
    coordinates: Literal["wgs84", "gcj02", "bd09"] = param(
        "wgs84", "coordinates of the file", "input"
    )
    count: int = param(
        400,
        "candidates among nodes or buildings, spread evenly over the district",
        "assumption: 700 m apart in a township of 200 km2",
        vary="100 to 1000",
        least=1,
        most=5000,
    )
    standing: dict[str, StandingSettings] = Field(
        default_factory=dict, description="centers that stand already, by name"
    )
    chemicals_distance: Metres = param(
        f"{standard.CHEMICALS_M:g} m",
        "from a center's boundary to where dangerous chemicals are made or stored, at least",
        "DB3211/T 1066-2023, 5.1.2",
        vary="200 m to 300 m (the 2017 construction standard for urban stations)",
    )
    filling_distance: Metres = param(
        f"{standard.FILLING_M:g} m",
        "from a center's boundary to filling stations and the like, at least",
        "DB3211/T 1066-2023, 5.1.2",
    )
    wind_range: Metres = param(
        f"{standard.RADIUS_M / 1000:g} km",
        "a hazard matters for the wind within this distance: 5.1.2 speaks of those in the center's "
        "area, and an area ends at the radius",
        "DB3211/T 1066-2023, 5.1.1 and 5.1.2",
        vary="1 km to 8 km",
    )
    wind: dict[str, Share] = Field(
        default_factory=dict,
        description="long-term wind rose: where the wind comes from, in degrees or as N, NNE, ..., "
        "and its share; that of the scenario's center if absent",
    )
    developed: bool = param(
        True,
        "the towns are of an economically developed area",
        "input (document 004, article 38); true for southern Jiangsu",
    )
    premises_file: str | None = param(
        None,
        "GeoJSON of premises that article 38 asks about: kind = enterprise or heritage, name",
        "input",
    )
    brigade_far: Seconds = param(
        "5 min",
        "a place is far from a station if an engine's turnout and travel take longer",
        "construction standard for urban fire stations (建标152), second-hand: 5 min to the edge",
        vary="5 min to 15 min",
    )
    hydrants_file: str | None = param(
        None,
        "GeoJSON points of hydrants with a property working = true or false; they replace the "
        "map's, which are taken to work",
        "input (document 000, task 5)",
    )
    hydrant_near: Metres = param(
        "150 m",
        "a hydrant protects what is within this distance by road",
        "GB 50974, second-hand: protection radius of a municipal hydrant",
        vary="100 m to 300 m",
    )
    verge: Metres = param(
        "50 m",
        "what lies within this of a reached road counts as reached",
        "assumption",
        vary="20 m to 200 m",
    )
    front: int | None = param(
        None,
        "centers up to which the trade-off against coverage and mean time is shown; 0: not at "
        "all; if absent, two more than chosen, at most 8, and none for more than 24 centers",
        "input",
        least=0,
        most=50,
    )
    time_limit: SolveTime = param(
        "60 s",
        "longest time for the choice, and for the trade-off as a whole; what is found by then is "
        "stated with its gap",
        "input",
        vary="10 s to 1 h",
    )

    @property
    def rose(self) -> dict[float, float]:
        """The wind rose by degrees."""
        return {_degrees(name): share for name, share in self.wind.items()}

    @field_validator("standing")
    @classmethod
    def _named(cls, standing: dict[str, StandingSettings]) -> dict[str, StandingSettings]:
        for name in standing:
            if not name or name != name.strip() or not name.isprintable():
                raise ValueError(
                    f"{name!r} cannot be the name of a center; write one without spaces around it "
                    "and without line breaks"
                )
        return standing

    @field_validator("wind")
    @classmethod
    def _rose(cls, wind: dict[str, float]) -> dict[str, float]:
        sectors: dict[float, str] = {}
        for name in wind:
            degrees = _degrees(name)
            if not 0 <= degrees < 360:
                raise ValueError(
                    f'"{name}" is no direction; write where the wind comes from, in degrees from '
                    f"0 to below 360 or as one of {', '.join(COMPASS)}"
                )
            if degrees in sectors:
                raise ValueError(f'"{sectors[degrees]}" and "{name}" are the same direction')
            sectors[degrees] = name
        total = sum(wind.values())
        if wind and abs(total - 1.0) > 1e-3:  # tables of climate data are rounded
            raise ValueError(f"the shares of the wind add up to {100 * total:g} %, not 100 %")
        return wind

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.objective in WITH_K and self.k is None:
            raise ValueError(
                f'objective = "{self.objective}" needs k, the number of centers, for example k = 3'
            )
        if self.objective not in WITH_K and self.k is not None:
            raise ValueError(
                f'k = {self.k}, but objective = "{self.objective}" finds the number by itself; '
                f"leave k out, or take one of {', '.join(WITH_K)}"
            )
        if self.k is not None and self.k < len(self.standing):
            raise ValueError(
                f"k = {self.k}, but {len(self.standing)} centers stand already; k counts them too"
            )
        if (self.candidates == "file") != (self.candidates_file is not None):
            raise ValueError(
                'candidates = "file" and candidates_file go together: give both, or neither'
            )
        return self


def _degrees(name: str) -> float:
    """A direction in degrees; nan if it is none."""
    if name.upper() in COMPASS:
        return 22.5 * COMPASS.index(name.upper())
    try:
        return float(name)
    except ValueError:
        return math.nan
