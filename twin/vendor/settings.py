"""What a scenario says about a vendor platform, with sources; imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from twin.quantity import TIME_UNITS, Quantity, Rate, Seconds, Settings, Share, param

Heartbeat = Annotated[
    float, Quantity("heartbeat interval", TIME_UNITS, "24 h", least=60.0, most=7 * 86400.0)
]
PullPeriod = Annotated[
    float, Quantity("pull period", TIME_UNITS, "6 h", least=3600.0, most=86400.0)
]
"""B.3.2 allows 1 h to 24 h."""


class VendorSettings(Settings):
    """One vendor platform, the devices on it and the way it serves the on-site platform."""

    share: Share = param(
        "100 %",
        "its share of the devices; all shares add up to 100 %",
        "scenario's choice",
    )
    heartbeat: Heartbeat = param(
        "24 h",
        "heartbeat interval of its devices",
        "assumption; GB 20517-2025 5.11 asks for a battery check at least every 24 h",
        vary="1 h to 24 h",
    )
    heartbeat_of: dict[str, Heartbeat] = Field(
        default={},
        description="heartbeat interval of single device kinds, by the name of the kind",
        json_schema_extra={"source": "scenario's choice", "vary": ""},
    )
    missed_heartbeats: int = param(
        2,
        "missed heartbeats in a row that flag a device",
        "assumption",
        vary="1 to 3",
        least=1,
        most=100,
    )
    grace: Seconds = param(
        "10 min", "how late a heartbeat may be", "assumption", vary="0 min to 60 min"
    )
    push_delay: Seconds = param(
        "1 s", "mean time of a push to the on-site platform", "assumption", vary="0.2 s to 10 s"
    )
    push_loss: Share = param(
        "0.1 %",
        "pushes that never come; the next pull corrects a state, nothing an event",
        "assumption",
        vary="0 % to 2 %",
    )
    pull_period: PullPeriod = param(
        "6 h",
        "how often the on-site platform pulls the device states",
        "assumption within B.3.2",
        vary="1 h to 24 h",
    )
    outages: Rate = param(
        "2 /year", "outages of the vendor platform", "assumption", vary="0.2 /year to 12 /year"
    )
    outage: Annotated[float, Quantity("time", TIME_UNITS, "2 h", least=1e-3, most=30 * 86400.0)] = (
        param("2 h", "mean length of an outage", "assumption", vary="0.2 h to 24 h")
    )

    @model_validator(mode="after")
    def _grace_within_interval(self) -> Self:
        shortest = min([self.heartbeat, *self.heartbeat_of.values()])
        if self.grace >= shortest:
            raise ValueError(
                f"a grace of {self.grace:g} s is not shorter than the shortest heartbeat interval, "
                f"{shortest:g} s"
            )
        return self

    def heartbeat_s(self, kind: str) -> float:
        """The heartbeat interval of a device kind in seconds."""
        return self.heartbeat_of.get(kind, self.heartbeat)
