"""What a scenario says about its venues and their points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from twin.quantity import (
    RATE_UNITS,
    Metres,
    Quantity,
    Seconds,
    Settings,
    Share,
    param,
)
from twin.venues.kinds import VENUE_KIND_NAMES, VENUE_KINDS

FireRate = Annotated[
    float, Quantity("rate", RATE_UNITS, "0.03 /year", most=100 * RATE_UNITS["/year"])
]
_ANSWER = dict.fromkeys(VENUE_KIND_NAMES, "75 %")
_FIRES = {name: f"{kind.fires_per_year!r} /year" for name, kind in VENUE_KINDS.items()}


def _over(defaults: Mapping[str, str]) -> BeforeValidator:
    """A partial table of a file keeps the defaults of the kinds that it leaves out."""

    def complete(table: Any) -> Any:
        return {**defaults, **table} if isinstance(table, Mapping) else table

    return BeforeValidator(complete)


def _known_kinds(table: dict[str, float]) -> dict[str, float]:
    """Refuses a table with a key that is no kind of venue."""
    for name in table:
        if name not in VENUE_KINDS:
            raise ValueError(
                f'unknown venue kind "{name}"; known are {", ".join(VENUE_KIND_NAMES)}'
            )
    return table


class VenueSettings(Settings):
    """Venues from a file, from the map's buildings, or generated."""

    points: int = param(
        3000,
        "networked points to generate, exactly; a file of venues has its own number",
        "assumption",
        vary="500 to 20000",
        least=1,
        most=1_000_000,
    )
    mix: dict[str, Share] = param(
        {
            "nine_small": "42 %",
            "combined_use": "12 %",
            "group_rental": "14 %",
            "older_person_home": "25 %",
            "enterprise": "5 %",
            "local_alarm_unit": "2 %",
        },
        "shares of the kinds among the venues",
        "assumption",
        vary="per township",
    )
    file: str | None = param(
        None, "CSV or GeoJSON file of venues (lon, lat, kind, ...)", "the center's own list"
    )
    coordinates: Literal["wgs84", "gcj02", "bd09"] = param(
        "wgs84", "coordinates of the file", "the center's own list"
    )
    road_limit: Metres = param(
        "1 km",
        "a venue of a file farther than this from any road is an error",
        "assumption",
        vary="200 m to 5 km",
    )
    buildings: bool = param(
        False, "place generated venues in the buildings of the road file", "the map"
    )
    connected: dict[str, Share] = param(
        {},
        "share of the venues of each kind that are connected so far, in the order of their ids; "
        "all of the kinds that are not named",
        "input",
    )
    responsible: int = param(
        5,
        "responsible people registered per venue",
        "DB3211/T 1066-2023, 9.3: at least 5",
        vary="1 to 10",
        least=0,
        most=100,
    )
    answer: Annotated[dict[str, Share], _over(_ANSWER)] = param(
        _ANSWER,
        "odds that a responsible person answers the telephone, by venue kind",
        "assumption",
        vary="50 % to 95 %",
    )
    night_answer: Share = param(
        "80 %", "factor on the odds from 0 to 6 h", "assumption", vary="50 % to 100 %"
    )
    video_share: Share = param(
        "5 %",
        "share of venues with video for verification",
        "assumption (document 000)",
        vary="0 % to 50 %",
    )
    fires: Annotated[dict[str, FireRate], _over(_FIRES)] = param(
        _FIRES,
        "incipient fires per venue, by venue kind",
        "dwellings: NFRA 2024, 6.25e-4 per household-year; the others assumption",
        vary="1/3 to 3 times",
    )
    service_cycle: Seconds = param(
        "3 year",
        "length of a contract; contracts end evenly spread over it",
        "DB3211/T 1066-2023, 4.11: at least 3 years",
        vary="1 year to 5 year",
    )

    @field_validator("mix", "connected", "answer", "fires", mode="after")
    @classmethod
    def _known_kinds(cls, table: dict[str, float]) -> dict[str, float]:
        return _known_kinds(table)

    @field_validator("mix", mode="after")
    @classmethod
    def _whole(cls, mix: dict[str, float]) -> dict[str, float]:
        total = sum(mix.values())
        if not math.isclose(total, 1.0, abs_tol=1e-6):
            raise ValueError(
                f"the shares of the venue kinds add up to {100 * total:g} %, not 100 %"
            )
        return mix


class StageSettings(Settings):
    """What is connected at the end of a year."""

    smoke_alarms: int = param(
        0,
        "smoke alarms in nine-small and combined-use premises, at least; 0: by their shares",
        "document 000, part 3",
        least=0,
        most=10_000_000,
    )
    connected: dict[str, Share] = param(
        {},
        "share of the venues of each kind; all of the kinds that are not named",
        "document 000, part 3",
    )

    @field_validator("connected", mode="after")
    @classmethod
    def _known(cls, table: dict[str, float]) -> dict[str, float]:
        return _known_kinds(table)


class RolloutSettings(Settings):
    """A rollout: its stages, in the order of their names (years)."""

    stages: Annotated[dict[str, StageSettings], Field(min_length=1, max_length=20)] = Field(
        description="what is connected at the end of each year, by year"
    )

    @field_validator("stages")
    @classmethod
    def _in_order(cls, stages: dict[str, StageSettings]) -> dict[str, StageSettings]:
        return dict(sorted(stages.items()))
