"""A design: what a planner chooses for a center, as changes of its scenario."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from twin.experiment.replicate import Changes
from twin.quantity import TIME_UNITS, Quantity
from twin.scenario import Scenario, ScenarioError

MOST_CREW = 500
"""Maintenance people that are tried at most; plenty is twice as many, as a roster has at most."""


@dataclass(frozen=True)
class Design:
    """A center's size.

    Attributes
    ----------
    people : duty people on each shift (of every team of the roster's pattern).
    maintenance : maintenance people; 0: the people of the shift do the maintenance.
    vans : its vans.
    spares : full stock of each device kind, as share of its devices.
    heartbeat : interval of all devices, s; None: as the vendors have it.
    """

    people: int
    maintenance: int
    vans: int
    spares: float
    heartbeat: float | None = None

    def changes(self, scenario: Scenario, center: str) -> Changes:
        """The tables of settings that make the scenario's center this one."""
        data = scenario.model_dump(mode="json", exclude_none=True)
        table = data["centers"][center]
        duty = self.people * scenario.centers[center].roster.team_count
        table["roster"] |= {"people": {}, "duty": duty, "maintenance": self.maintenance}
        table["maintenance"]["by_duty"] |= self.maintenance == 0
        table["vehicles"]["vans"] = self.vans
        table["spares"]["share"] = self.spares
        changes: dict[str, Any] = {"centers": data["centers"]}
        if self.heartbeat is not None:
            for vendor in data["vendors"].values():
                vendor |= {"heartbeat": duration(self.heartbeat), "heartbeat_of": {}}
            if scenario.changed(vendors=data["vendors"]).vendors != scenario.vendors:
                changes["vendors"] = data["vendors"]
        return changes

    def staff(self, scenario: Scenario, center: str) -> int:
        """Everybody: all teams, and maintenance."""
        return self.people * scenario.centers[center].roster.team_count + self.maintenance


def duration(seconds: float) -> str:
    """A time as a scenario writes it."""
    return Quantity("time", TIME_UNITS, "24 h").write(seconds)


def present(scenario: Scenario, center: str) -> Design:
    """The design that the scenario has; a broken number on a shift counts as started."""
    settings = scenario.centers[center]
    roles = [person.role for person in settings.roster.roster().values()]
    duty = sum(role.value == "duty" for role in roles)
    return Design(
        people=ceil(duty / settings.roster.team_count),
        maintenance=len(roles) - duty,
        vans=settings.vehicles.vans,
        spares=settings.spares.share,
    )


def center_of(scenario: Scenario, named: str | None) -> str:
    """The center to size.

    Raises
    ------
    ScenarioError
        The scenario has several and none is named, or none of that name.
    """
    names = list(scenario.centers)
    if named is not None:
        if named not in names:
            raise ScenarioError(
                f'size.center: there is no center "{named}"; there are {", ".join(names)}'
            )
        return named
    if len(names) > 1:
        raise ScenarioError(
            f"size.center: the scenario has {len(names)} centers; name the one to size, for "
            f"example --set size.center={names[0]}"
        )
    return names[0]
