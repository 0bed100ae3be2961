"""What a scenario says about sizing a center: what is tried, and what is enough (`twin size`)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from twin.quantity import Seconds, Settings, Share, param
from twin.standard import SHIFT_MIN

Numbers = Annotated[list[int], Field(max_length=50)]
Shares = Annotated[list[Share], Field(min_length=1, max_length=50)]
Times = Annotated[list[Seconds], Field(min_length=1, max_length=50)]


class SizeSettings(Settings):
    """Which staffing, vans, spares and heartbeats are tried, and what is asked of them."""

    center: str | None = param(
        None, "the center to size; needed where the scenario has several", "input"
    )
    confidence: Share = param(
        "95 %", "one-sided confidence of every statement", "convention", vary="90 % to 99 %"
    )
    first: int = param(
        8, "periods simulated before the first look at the figures", "assumption",
        vary="5 to 20", least=2, most=10_000,
    )  # fmt: skip
    replications: int = param(
        32, "periods simulated of a design at most; what is open then is undecided", "assumption",
        vary="16 to 200", least=2, most=10_000,
    )  # fmt: skip
    lost: Share = param(
        "1 %",
        "fire alarm messages that may miss the 5 s or the 1 min of 6.1 because nobody was free; "
        "the rest miss them with any number of people",
        "assumption; 6.1 asks for every message",
        vary="0.2 % to 5 %",
    )
    timely: Share = param(
        "97 %",
        "devices maintained in time (6.5, 7.1), at least",
        "assumption, after the 97 % of 4.6; 6.5 asks for every device",
        vary="90 % to 99 %",
    )
    waiting: Share = param(
        "1 %",
        "spares that were not there when a repair needed them, of all spares used, at most",
        "assumption; 5.2.9 asks for enough",
        vary="0 % to 5 %",
    )
    people: int = param(
        4, "most people on a shift that are tried; 4.4 asks for at least 2", "input",
        least=SHIFT_MIN, most=50,
    )  # fmt: skip
    points_per_maintainer: int = param(
        1000, "fewest points per maintenance person that are tried", "input", least=10,
        most=1_000_000,
    )  # fmt: skip
    vans: int = param(3, "most vans that are tried", "input", least=1, most=100)
    spares: Shares = param(
        ["0.5 %", "1 %", "2 %", "3 %", "5 %", "10 %"],
        "full stocks of each device kind that are tried, as shares of its devices",
        "input",
    )
    heartbeats: Times = param(
        ["1 h", "4 h", "12 h", "24 h"],
        "heartbeat intervals that are tried; the longest that holds is taken",
        "GB 20517-2025, 5.11: the battery is checked at least every 24 h",
    )
    curve: Numbers = param(
        [5_000, 10_000, 20_000, 40_000, 60_000],
        "points at which two people on each shift are put to the test; none: no curve",
        "DB3211/T 1066-2023, 5.1.12 says 20,000",
    )

    @field_validator("confidence")
    @classmethod
    def _confidence(cls, share: float) -> float:
        if not 0.5 <= share <= 0.9999:
            raise ValueError("a confidence from 50 % to 99.99 % is expected")
        return share

    @field_validator("curve")
    @classmethod
    def _points(cls, points: list[int]) -> list[int]:
        for number in points:
            if not 100 <= number <= 1_000_000:
                raise ValueError(f"{number}: a center of 100 to 1000000 points is expected")
        return sorted(set(points))

    @field_validator("spares", "heartbeats")
    @classmethod
    def _in_order(cls, values: list[float]) -> list[float]:
        return sorted(set(values))
