"""What a scenario says of a center: site, people, vehicles, policies, spares."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, PlainValidator, WithJsonSchema, field_validator, model_validator

from twin.quantity import (
    DAY_S,
    LENGTH_UNITS,
    TIME_UNITS,
    YEAR_S,
    Metres,
    Quantity,
    Seconds,
    Settings,
    Share,
    Speed,
    param,
)
from twin.terms import Role

Pattern = Literal["24h_on", "three_team_8h", "four_team_8h", "two_12h"]

SHIFT_HOURS: dict[str, float] = {
    "24h_on": 24.0,
    "three_team_8h": 8.0,
    "four_team_8h": 8.0,
    "two_12h": 12.0,
}
DEFAULT_TEAMS: dict[str, int] = {
    "24h_on": 3,
    "three_team_8h": 3,
    "four_team_8h": 4,
    "two_12h": 2,
}

TimeOfDay = Annotated[float, Quantity("time of day", TIME_UNITS, "8 h", most=DAY_S)]


def _answer(given: object) -> bool | float:
    """An answer of the checklist; nothing is counted or measured below nothing."""
    if isinstance(given, (int, float)) and 0 <= given < 1e12:
        return given if isinstance(given, bool) else float(given)
    if isinstance(given, dict):
        raise ValueError('an item\'s key has to be in quotes, as in "5.1.5.floor_area_m2" = 120')
    raise ValueError("true, false or a number of at least 0 is expected")


Answer = Annotated[
    bool | float,
    PlainValidator(_answer),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "number", "minimum": 0}]}),
]


class PersonSettings(Settings):
    """One person of the roster."""

    role: Role = param(Role.DUTY, "duty (at the desk and going out) or maintenance", "input")
    team: int = param(1, "the team of the shift pattern, from 1", "input", least=1, most=100)
    trained: bool = param(True, "trained before taking the post (4.5)", "input")
    training: Seconds = param("24 h", "training on the post in a year (4.5)", "input")


class RosterSettings(Settings):
    """Who is on duty when (4.4)."""

    pattern: Pattern = param(
        "four_team_8h",
        "shift pattern of the duty people: teams take turns, shift after shift",
        "input; working hours from Labour Law art. 36 (44 h a week on average)",
    )
    teams: int | None = param(
        None, "teams that take turns; the pattern's own if absent", "input", least=1, most=100
    )
    handover: TimeOfDay = param(
        "8 h", "time of day of the first handover", "assumption", vary="6 h to 9 h"
    )
    duty: int = param(
        8, "duty people in all, spread over the teams in turn", "input", least=0, most=1000
    )
    maintenance: int = param(2, "maintenance people in all", "input", least=0, most=1000)
    maintenance_from: TimeOfDay = param(
        "8 h", "maintenance day begins", "assumption", vary="7 h to 9 h"
    )
    maintenance_until: TimeOfDay = param(
        "18 h", "maintenance day ends", "assumption", vary="16 h to 20 h"
    )
    maintenance_on_days: int = param(
        5, "days a maintenance person works in a week", "assumption", vary="5 to 6", least=1, most=7
    )
    people: dict[str, PersonSettings] = Field(
        default_factory=dict,
        description="named people; where given, they replace the counts above",
    )
    absence: Share = param(
        "3 %", "shifts a person misses (leave, sickness)", "assumption", vary="1 % to 8 %"
    )
    cover: Share = param(
        "90 %", "missed shifts that somebody off duty covers", "assumption", vary="50 % to 100 %"
    )
    break_length: Seconds = param(
        "30 min", "a break away from the desk", "assumption", vary="0 min to 60 min"
    )
    break_every: Annotated[
        float, Quantity("time", TIME_UNITS, "6 h", least=3600.0, most=YEAR_S)
    ] = param("6 h", "time on duty between two breaks", "assumption", vary="4 h to 8 h")

    @property
    def shift_s(self) -> float:
        """Length of a duty shift, seconds."""
        return SHIFT_HOURS[self.pattern] * 3600.0

    @property
    def team_count(self) -> int:
        """Teams that take turns."""
        return self.teams or DEFAULT_TEAMS[self.pattern]

    def roster(self) -> dict[str, PersonSettings]:
        """The people by name: as listed, or as many as counted."""
        if self.people:
            return dict(self.people)
        duty = {
            f"duty-{k + 1}": PersonSettings(role=Role.DUTY, team=k % self.team_count + 1)
            for k in range(self.duty)
        }
        field = {
            f"maintenance-{k + 1}": PersonSettings(role=Role.MAINTENANCE, team=k + 1)
            for k in range(self.maintenance)
        }
        return duty | field

    @model_validator(mode="after")
    def _consistent(self) -> RosterSettings:
        duty = [p for p in self.roster().values() if p.role is Role.DUTY]
        teams = {p.team for p in duty}
        if not duty:
            raise ValueError("nobody has the role duty, so nobody would sit at the desk")
        if max(teams) > self.team_count:
            raise ValueError(
                f"a duty person is in team {max(teams)}, but pattern {self.pattern} has "
                f"{self.team_count} teams; raise teams or move the person"
            )
        empty = sorted(set(range(1, self.team_count + 1)) - teams)
        if empty:
            raise ValueError(
                f"team {empty[0]} of {self.team_count} has nobody, so the desk would stand empty "
                f"whenever it is its turn; add duty people or lower teams"
            )
        if self.maintenance_until <= self.maintenance_from:
            raise ValueError("maintenance_until must be later in the day than maintenance_from")
        return self


class ResponseSettings(Settings):
    """Times and odds of the procedure of clause 6."""

    reaction: Seconds = param(
        "2.5 s",
        "median time from an alarm on the screen to a person's response",
        "assumption; 90 % within 10 s is good practice (NFPA 1225)",
        vary="1.5 s to 6 s",
    )
    reaction_spread: float = param(
        0.35,
        "spread (sigma of the logarithm) of the reaction",
        "assumption",
        vary="0.2 to 0.6",
        least=0,
        most=3,
    )
    night_factor: float = param(
        1.33,
        "slow-down of reactions from 0 h to 6 h",
        "SJWEH 3737 (injury risk at night), as a sensitivity",
        vary="1.0 to 1.33",
        least=1,
        most=100,
    )
    check: Seconds = param(
        "6 s",
        "reading place and contacts, checking SMS and call receipts",
        "assumption",
        vary="3 s to 15 s",
    )
    ring: Seconds = param(
        "12 s",
        "mean ringing time before an answer, or until the next number is tried",
        "assumption",
        vary="8 s to 20 s",
    )
    call: Seconds = param(
        "40 s", "mean length of a verification call", "assumption", vary="25 s to 60 s"
    )
    call_cv: float = param(
        0.6,
        "coefficient of variation of a call's length",
        "assumption",
        vary="0.3 to 1.0",
        least=0,
        most=10,
    )
    decision_share: Share = param(
        "50 %",
        "share of the call after which the operator can decide",
        "assumption",
        vary="30 % to 100 %",
    )
    calling_limit: Seconds = param(
        "45 s",
        "calling stops when nobody has answered for this long",
        "assumption; 6.1 leaves 1 min for all of verification",
        vary="30 s to 120 s",
    )
    clear: Share = param(
        "92 %",
        "calls and videos from which the situation is clear",
        "assumption",
        vary="80 % to 99 %",
    )
    mistaken: Share = param(
        "1 %", "real fires that a call wrongly finds to be none", "assumption", vary="0 % to 5 %"
    )
    emergency_call: Seconds = param(
        "30 s",
        "mean time from confirmed to 119 having the report",
        "assumption",
        vary="15 s to 90 s",
    )
    investigation: Seconds = param(
        "8 min", "mean time on scene where there was no fire", "assumption", vary="4 min to 20 min"
    )
    fire_work: Seconds = param(
        "40 min", "mean time on scene at a fire", "assumption", vary="20 min to 120 min"
    )
    record: Seconds = param(
        "3 min", "mean time to annotate and complete a record", "assumption", vary="1 min to 10 min"
    )
    report: Seconds = param(
        "20 min", "mean time to write the report of Annex C", "assumption", vary="10 min to 60 min"
    )
    contained: Share = param(
        "70 %", "real fires that stay incipient", "assumption", vary="50 % to 90 %"
    )
    sealed: Share = param(
        "30 %",
        "confirmed fires whose scene the brigade seals",
        "assumption (document 004, article 48)",
        vary="0 % to 100 %",
    )
    receipt: Seconds = param(
        "8 s", "mean time until a notification's receipt", "assumption", vary="3 s to 30 s"
    )
    receipt_share: Share = param(
        "95 %", "responsible people from whom any receipt comes", "assumption", vary="80 % to 100 %"
    )
    unreachable: Share = param(
        "1 %",
        "venues whose registered numbers are wrong: no receipt and no answer from anybody",
        "assumption",
        vary="0 % to 10 %",
    )
    turnout: Seconds = param(
        "90 s",
        "from the order to the vehicle moving",
        "assumption; 80 s is NFPA 1710 for a fire crew",
        vary="60 s to 180 s",
    )
    blocked: Share = param(
        "5 %",
        "venues whose passage is blocked when somebody comes",
        "assumption (document 004, article 19)",
        vary="0 % to 20 %",
    )
    blocked_delay: Seconds = param(
        "3 min", "delay on foot past a blocked passage", "assumption", vary="1 min to 8 min"
    )
    keep_at_desk: int = param(
        1,
        "people who stay at the desk when others go out; 0: the last may leave",
        "assumption",
        vary="0 to 2",
        least=0,
        most=1000,
    )


class VehicleSettings(Settings):
    """What the people of the center travel with."""

    vans: int = param(2, "vans, ordinary traffic", "input", least=0, most=1000)
    bikes: int = param(2, "electric bikes", "input", least=0, most=1000)
    bike_speed: Speed = param(
        "20 km/h",
        "speed of a bike on the road's length",
        "assumption; GB 17761 allows 25 km/h",
        vary="15 km/h to 25 km/h",
    )
    walking_speed: Speed = param(
        "5 km/h", "on foot, where no vehicle is left", "assumption", vary="4 km/h to 6 km/h"
    )


class HelperSettings(Settings):
    """Grid workers, micro fire stations (4.9) and the fire brigade."""

    grid_share: Share = param(
        "70 %",
        "venues with a grid worker who gets confirmed alarms",
        "assumption",
        vary="0 % to 100 %",
    )
    grid_arrival: Seconds = param(
        "8 min", "mean time of a grid worker to the scene", "assumption", vary="4 min to 20 min"
    )
    micro_share: Share = param(
        "20 %", "venues near a micro fire station", "assumption", vary="0 % to 50 %"
    )
    micro_arrival: Seconds = param(
        "5 min",
        "mean time of a micro fire station to the scene",
        "assumption",
        vary="3 min to 10 min",
    )
    brigade_processing: Seconds = param(
        "60 s",
        "119's alarm handling before the brigade's order",
        "NFPA 1225: 90 % within 60 s",
        vary="30 s to 120 s",
    )
    brigade_turnout: Seconds = param(
        "80 s", "turnout of the brigade", "NFPA 1710", vary="45 s to 120 s"
    )
    brigade_engines: int = param(
        2, "engines of each brigade station", "assumption", vary="1 to 4", least=1, most=100
    )


class MaintenanceSettings(Settings):
    """Clause 6.5 and 8.1: what is repaired when, by whom and how long it takes."""

    patience: Seconds = param(
        "4 h",
        "an offline device gets this long to come back by itself before a trip",
        "assumption",
        vary="0 h to 24 h",
    )
    triage: Seconds = param(
        "30 min",
        "until an operator has looked into an offline device and recorded it",
        "assumption",
        vary="5 min to 4 h",
    )
    battery_swap: Seconds = param(
        "10 min", "changing a battery", "assumption", vary="5 min to 20 min"
    )
    repair: Seconds = param(
        "30 min", "a repair or an exchange", "assumption", vary="15 min to 60 min"
    )
    cleaning: Seconds = param(
        "15 min",
        "cleaning and testing a contaminated detector",
        "assumption",
        vary="10 min to 30 min",
    )
    inspection: Seconds = param(
        "4 min", "planned test and cleaning of one device", "assumption", vary="2 min to 10 min"
    )
    exchange_share: Share = param(
        "60 %", "repairs that need a spare device", "assumption", vary="30 % to 100 %"
    )
    period: Annotated[
        float, Quantity("time", TIME_UNITS, "2 year", least=30 * DAY_S, most=100 * YEAR_S)
    ] = param(
        "2 year",
        "between two planned tests and cleanings of a device",
        "GB 29837 as quoted second-hand (8.1)",
        vary="1 year to 3 year",
    )
    place: Annotated[float, Quantity("length", LENGTH_UNITS, "1 km", least=50.0, most=1000e3)] = (
        param(
            "1 km",
            "side of the squares whose venues one trip serves together",
            "assumption",
            vary="0.5 km to 3 km",
        )
    )
    trip_length: Seconds = param(
        "3 h", "a trip takes no more work than this", "assumption", vary="1 h to 6 h"
    )
    by_duty: bool = param(
        False, "duty people do the maintenance where nobody has that role on duty", "policy"
    )


class SpareSettings(Settings):
    """The stock of spare devices of each kind, and of batteries (5.2.9)."""

    share: Share = param(
        "2 %",
        "full stock of a device kind, as share of its devices",
        "assumption",
        vary="0.3 % to 5 %",
    )
    batteries: Share = param(
        "5 %",
        "full stock of batteries, as share of the devices that have one",
        "assumption",
        vary="1 % to 20 %",
    )
    reorder_share: Share = param(
        "50 %",
        "an order is placed when this share of the stock is left",
        "assumption",
        vary="20 % to 80 %",
    )
    lead_time: Seconds = param(
        "14 d", "from the order to the delivery", "assumption", vary="3 d to 60 d"
    )


class CenterSettings(Settings):
    """One service center."""

    lon: float | None = param(
        None, "longitude, WGS-84; the network's middle if absent", "input", least=-180, most=180
    )
    lat: float | None = param(None, "latitude, WGS-84", "input", least=-90, most=90)
    area: str | None = param(
        None,
        "GeoJSON file of its area; else the district, or the part of it nearest to this center",
        "input",
    )
    site_radius: Metres = param(
        "15 m", "from the center's middle to its boundary (5.1.2)", "assumption", vary="5 m to 50 m"
    )
    roster: RosterSettings = Field(default_factory=RosterSettings)
    response: ResponseSettings = Field(default_factory=ResponseSettings)
    vehicles: VehicleSettings = Field(default_factory=VehicleSettings)
    helpers: HelperSettings = Field(default_factory=HelperSettings)
    maintenance: MaintenanceSettings = Field(default_factory=MaintenanceSettings)
    spares: SpareSettings = Field(default_factory=SpareSettings)
    checklist: dict[str, Answer] = Field(
        default_factory=dict,
        description="facts that no simulation yields, by item of the checklist (5.1.3 to 11.3)",
    )
    wind: dict[str, Share] = Field(
        default_factory=dict,
        description="long-term wind rose: degrees the wind comes from, and its share (5.1.2)",
    )
    complaints: float = param(
        2.0,
        "complaints a year that are upheld, per 20,000 points",
        "assumption",
        vary="0 to 6",
        least=0,
        most=1000,
    )
    renewal: Share = param(
        "93 %", "contracts renewed at their end (D.1)", "assumption", vary="80 % to 100 %"
    )

    @field_validator("lat", mode="before")
    @classmethod
    def _swapped(cls, lat: object) -> object:
        if isinstance(lat, (int, float)) and 90 < abs(lat) <= 180:
            raise ValueError("a latitude from -90 to 90 is expected; are lon and lat swapped?")
        return lat

    @field_validator("wind")
    @classmethod
    def _rose(cls, wind: dict[str, float]) -> dict[str, float]:
        sectors: dict[float, str] = {}
        for name in wind:
            try:
                degrees = float(name)
            except ValueError:
                degrees = math.nan
            if not 0 <= degrees < 360:
                raise ValueError(
                    f'"{name}" is no sector of the wind rose; write the degrees that the wind '
                    "comes from, from 0 to below 360"
                )
            if degrees in sectors:
                raise ValueError(f'"{sectors[degrees]}" and "{name}" are the same sector')
            sectors[degrees] = name
        total = sum(wind.values())
        if wind and abs(total - 1.0) > 1e-3:  # tables of climate data are rounded
            raise ValueError(f"the shares of the wind add up to {100 * total:g} %, not 100 %")
        return wind

    @model_validator(mode="after")
    def _consistent(self) -> CenterSettings:
        if (self.lon is None) != (self.lat is None):
            raise ValueError("lon and lat go together: give both, or neither")
        return self
