"""What a scenario says about the networks, with sources; imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import model_validator

from twin.quantity import SHARE_UNITS, TIME_UNITS, Quantity, Rate, Seconds, Settings, Share, param

PositiveTime = Annotated[
    float, Quantity("time", TIME_UNITS, "4 h", least=1e-3, most=365.25 * 86400.0)
]
"""A time that a model divides by, or waits for: more than nothing, at most a year."""

DeliveryRatio = Annotated[float, Quantity("share", SHARE_UNITS, "99 %", least=0.51, most=1.0)]
"""Share of telegrams that arrive; at half or less a link is down rather than lossy."""

THESIS = "Huawei field means, 64 B datagrams, Stellenbosch MSc thesis (2020)"


class CoverageSettings(Settings):
    """Shares of the NB-IoT devices in the coverage levels; together 100 %."""

    ecl0: Share = param(
        "85 %", "devices in ECL0 (MCL 144 dB)", "assumption", vary="60 % to 95 % (the rest shared)"
    )
    ecl1: Share = param(
        "12 %", "devices in ECL1 (MCL 154 dB)", "assumption", vary="4 % to 25 % (the rest shared)"
    )
    ecl2: Share = param(
        "3 %", "devices in ECL2 (MCL 164 dB)", "assumption", vary="1 % to 15 % (the rest shared)"
    )

    @property
    def levels(self) -> tuple[float, float, float]:
        """The shares of ECL0, ECL1 and ECL2."""
        return self.ecl0, self.ecl1, self.ecl2

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(sum(self.levels) - 1.0) > 1e-6:
            raise ValueError(
                f"the shares of ecl0, ecl1 and ecl2 add up to {100 * sum(self.levels):g} %, "
                "they must add up to 100 %"
            )
        return self


class LatencySettings(Settings):
    """Mean time from a report to its arrival at the vendor, by coverage level, and its spread."""

    ecl0: PositiveTime = param("0.51 s", "mean latency in ECL0", THESIS, vary="0.51 s to 1.77 s")
    ecl1: PositiveTime = param("2.47 s", "mean latency in ECL1", THESIS, vary="1.30 s to 12.4 s")
    ecl2: PositiveTime = param("7.59 s", "mean latency in ECL2", THESIS, vary="1.42 s to 7.59 s")
    cv: float = param(
        2.0,
        "coefficient of variation of the lognormal latency",
        "assumption; the thesis gives means and a tail to 100 s",
        vary="1 to 3",
        least=0.0,
        most=10,
    )
    most: PositiveTime = param("100 s", "longest latency", "end of the tail in the same thesis")

    @property
    def means(self) -> tuple[float, float, float]:
        """The means of ECL0, ECL1 and ECL2 in seconds."""
        return self.ecl0, self.ecl1, self.ecl2


class DeliverySettings(Settings):
    """Share of single transmissions that arrive, by coverage level."""

    ecl0: DeliveryRatio = param("99.9 %", "delivery in ECL0", "assumption", vary="99 % to 99.99 %")
    ecl1: DeliveryRatio = param("99.5 %", "delivery in ECL1", "assumption", vary="95 % to 99.9 %")
    ecl2: DeliveryRatio = param("98 %", "delivery in ECL2", "assumption", vary="90 % to 99.5 %")

    @property
    def levels(self) -> tuple[float, float, float]:
        """The ratios of ECL0, ECL1 and ECL2."""
        return self.ecl0, self.ecl1, self.ecl2


class NbiotSettings(Settings):
    """NB-IoT cells and the telegrams over them."""

    coverage: CoverageSettings = CoverageSettings()
    latency: LatencySettings = LatencySettings()
    delivery: DeliverySettings = DeliverySettings()
    attempts: int = param(
        3,
        "transmissions of an alarm telegram until it is given up; a heartbeat has one",
        "assumption; GB/T 26875.3 has 3",
        vary="1 to 5",
        least=1,
        most=20,
    )
    answer_wait: PositiveTime = param(
        "5 s", "wait for an answer before an alarm telegram is resent", "Meokon V3.0 description"
    )
    registration: PositiveTime = param(
        "7 s",
        "network registration after a restart or a regained cell, mean",
        "Huawei, Stellenbosch MSc thesis (2020): four vendors have 6.0, 7.0, 13.2, 49.7 s",
        vary="6 s to 49.7 s",
    )
    points_per_cell: int = param(
        1000,
        "NB-IoT devices of the center in one cell",
        "assumption",
        vary="200 to 5000",
        least=1,
        most=1_000_000,
    )
    cell_outages: Rate = param(
        "0.5 /year", "outages of a cell", "assumption", vary="0.1 /year to 4 /year"
    )
    cell_outage: PositiveTime = param(
        "4 h", "mean length of a cell outage", "assumption", vary="1 h to 24 h"
    )


class Rs485Settings(Settings):
    """An RS485 bus with Modbus RTU slaves, polled by its host."""

    baud: int = param(
        9600, "bit rate", "common practice with 8N1 devices", least=300, most=10_000_000
    )
    bits_per_character: int = param(
        10,
        "bits per character on the line",
        "8N1, common practice; 11 by Modbus over serial line V1.02",
        vary="10 or 11",
        least=10,
        most=12,
    )
    registers: int = param(
        10,
        "registers read from a slave in one poll",
        "assumption",
        vary="10 to 125",
        least=1,
        most=125,
    )
    answer: Seconds = param("50 ms", "a slave's answer time", "assumption", vary="10 ms to 200 ms")
    timeout: PositiveTime = param(
        "1 s", "wait for a slave that does not answer", "assumption", vary="0.2 s to 3 s"
    )
    tries: int = param(
        3, "polls of a silent slave in one cycle", "assumption", vary="1 to 5", least=1, most=20
    )


class UplinkSettings(Settings):
    """The cellular uplink of a gateway (electrical-fire host, user information transmission)."""

    latency: PositiveTime = param(
        "1 s", "mean time of a frame to the vendor", "assumption", vary="0.2 s to 5 s"
    )
    latency_cv: float = param(
        1.0,
        "its coefficient of variation (lognormal)",
        "assumption",
        vary="0.5 to 2",
        least=0.0,
        most=10,
    )
    delivery: DeliveryRatio = param(
        "99.5 %", "share of single frames that arrive", "assumption", vary="95 % to 99.99 %"
    )
    timeout: PositiveTime = param(
        "10 s", "wait for the answer to a frame", "GB/T 26875.3: at most 10 s", vary="2 s to 10 s"
    )
    tries: int = param(3, "transmissions of a frame", "GB/T 26875.3: 3 times", least=1, most=20)
    outages: Rate = param(
        "1 /year", "outages of one gateway's uplink", "assumption", vary="0.1 /year to 6 /year"
    )
    outage: PositiveTime = param(
        "6 h", "mean length of an uplink outage", "assumption", vary="0.5 h to 48 h"
    )


class PowerSettings(Settings):
    """The mains supply (table A.1 item 1) and what bridges a cut of it."""

    points_per_feeder: int = param(
        500, "points on one feeder", "assumption", vary="100 to 2000", least=1, most=1_000_000
    )
    cuts: Rate = param(
        "2.5 /year",
        "power cuts of a feeder",
        "assumption; rural China about 15 h without power in 2019 (second-hand)",
        vary="0.3 /year to 5 /year",
    )
    cut: PositiveTime = param("4 h", "mean length of a cut", "assumption", vary="0.5 h to 8 h")
    device_backup: Seconds = param(
        "0 h", "backup of a mains-powered device", "assumption: none built in", vary="0 h to 8 h"
    )
    gateway_backup: Seconds = param(
        "8 h",
        "backup battery of a host or transmission device",
        "assumption, after what GB 26875.1 is said to ask of transmission devices",
        vary="0 h to 24 h",
    )


class NetworkSettings(Settings):
    """All networks between the devices and the vendor platforms."""

    nbiot: NbiotSettings = NbiotSettings()
    rs485: Rs485Settings = Rs485Settings()
    uplink: UplinkSettings = UplinkSettings()
    power: PowerSettings = PowerSettings()
