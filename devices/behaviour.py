"""What devices do and suffer: small behaviours that a device kind is composed of.

Each behaviour is a frozen dataclass with its rates, and samples arrays over a whole population.
Fields made by :func:`tunable` carry their source and may be overridden by a scenario
(:func:`devices.kinds.with_overrides`). Defaults that a kind replaces are assumptions within the
range of the field unless :mod:`devices.kinds` names a source beside them.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from devices.causes import EQUIPMENT, TEST
from devices.population import (
    DAY_S,
    LOW_BATTERY_RESERVE_S,
    YEAR_S,
    Floats,
    Happening,
    Indices,
    Occurrences,
    Period,
    Population,
    Streams,
)
from devices.rhythm import (
    FALSE_ALARM_HOURS,
    FLAT_HOURS,
    WAKING_HOURS,
    WORKING_HOURS,
    exponentials,
    marks,
    rounds,
    steady,
    uniforms,
)

if TYPE_CHECKING:
    from devices.kinds import DeviceKind


def tunable(
    default: float | None,
    what: str,
    source: str,
    vary: str,
    *,
    name: str = "",
    most: float = np.inf,
) -> Any:
    """A number that a scenario may override.

    Parameters
    ----------
    default : its value, None for a field that each kind has to give.
    what : what it is, with its unit.
    source : where it comes from, or "assumption".
    vary : the range to vary it over.
    name : its name in a scenario, with ``{...}`` for fields of the behaviour; the field's own
        name by default.
    most : the largest value that makes sense; the least is always 0.
    """
    metadata = {"what": what, "source": source, "vary": vary, "name": name, "most": most}
    if default is None:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


class Behaviour(Protocol):
    """One thing that devices of a kind do or suffer."""

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        """What of it happens in the period, without regard to other behaviours or repairs."""
        ...


def hazard_per_s(share_per_year: float) -> float:
    """The rate (1/s) at which the given share of devices has failed after one year."""
    return float(-np.log1p(-share_per_year)) / YEAR_S


def soiling_per_s(population: Population, streams: Streams) -> Floats:
    """How fast each device gets dirty, 1/s: 1 is reached after ``kind.soiling_years`` on average.

    Devices of a kind differ by a lognormal factor of median 1 and sigma 0.5 (assumption, 0.2-1).
    """
    kind = population.kind
    normals = streams.generator("soiling", kind.name).standard_normal(population.size)
    return np.asarray(np.exp(0.5 * normals) / (kind.soiling_years * YEAR_S))


@dataclass(frozen=True)
class Nuisance:
    """False alarms, by cause, clustered by site and more frequent in a dirty device.

    ``rates`` are alarms per clean device and year at a site of frailty 1.
    """

    rates: tuple[tuple[str, float], ...]
    nuisance_factor: float = tunable(
        1.0, "multiplies all nuisance rates", "assumption", "0.3 to 10"
    )
    contamination_gain: float = tunable(
        1.0, "rise of the nuisance rate from clean to needs-cleaning", "assumption", "0 to 3"
    )

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        start = population.contamination
        growth = soiling_per_s(population, streams) * DAY_S
        gain = self.contamination_gain
        level, slope = 1 + gain * np.minimum(start, 1), gain * growth
        # beyond "needs cleaning" the rate no longer rises: the days until then, and their hazard
        with np.errstate(divide="ignore", invalid="ignore"):
            turn = np.where(growth > 0, np.maximum(1 - start, 0) / growth, np.inf)
        turn_hazard = np.where(np.isfinite(turn), turn, 0) * (1 + gain + level) / 2
        turn_hazard[~np.isfinite(turn)] = np.inf

        found = []
        for cause, per_year in self.rates:
            per_day = per_year * self.nuisance_factor / YEAR_S * DAY_S * population.frailty

            def shaped_days(reached: Floats, i: Any, per_day: Floats = per_day) -> Floats:
                with np.errstate(divide="ignore", invalid="ignore"):
                    x = reached / per_day[i]
                    rising = 2 * x / (level[i] + np.sqrt(level[i] ** 2 + 2 * slope[i] * x))
                    late = turn[i] + (x - turn_hazard[i]) / (1 + gain)
                return np.where(np.isinf(x), np.inf, np.where(x > turn_hazard[i], late, rising))

            name = ("nuisance", population.kind.name, cause)
            hours = FLAT_HOURS if cause == EQUIPMENT else FALSE_ALARM_HOURS
            device, number, time = rounds(
                streams, name, population.size, shaped_days, period.seconds, hours
            )
            dirt = np.minimum(start[device] + growth[device] * time / DAY_S, 1.0)
            found.append(
                Occurrences(Happening.ALARM, cause, device, number, time, value=gain * dirt)
            )
        return found


@dataclass(frozen=True)
class Hazard:
    """A hazardous condition that the device itself alarms about (gas leak, short circuit, arc)."""

    cause: str
    per_year: float = tunable(
        None,
        "genuine alarms per device-year",
        "assumption",
        "1/3 to 3 times",
        name="{cause}_per_year",
    )

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        name = ("hazard", population.kind.name, self.cause)
        return [_simple(population, streams, period, name, Happening.ALARM, self.per_year)]


@dataclass(frozen=True)
class TestAlarm:
    """Alarms that people raise to test a device, by the test button or smoke."""

    __test__ = False

    test_per_year: float = tunable(
        0.002,
        "test alarms by occupants per device-year; 3 % of dwelling alarms were tests (Avon 2014)",
        "assumption",
        "0 to 0.1",
    )

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        name = ("alarm", population.kind.name, TEST)
        return [
            _simple(
                population,
                streams,
                period,
                name,
                Happening.ALARM,
                self.test_per_year,
                WORKING_HOURS,
            )
        ]


@dataclass(frozen=True)
class HardwareFault:
    """The device fails: it reports the fault, or dies silently."""

    fault_per_year: float = tunable(
        0.03,
        "share of devices that fail within a year (compounds: 97/74/54 % work after 1/10/20 years)",
        "NFPA fact sheet; CPSC: smoke alarms; taken for the other kinds as an assumption",
        "0.005 to 0.1",
        most=0.999,
    )
    reported_share: float = tunable(
        0.7, "share of faults that the device reports", "assumption", "0.3 to 0.95", most=1.0
    )

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        kind, size = population.kind.name, population.size
        device, number, time = rounds(
            streams,
            ("fault", kind),
            size,
            steady(hazard_per_s(self.fault_per_year)),
            period.seconds,
            FLAT_HOURS,
        )
        luck = marks(streams, ("fault_reported", kind), size, device, number, uniforms)
        told = luck < self.reported_share
        return [
            Occurrences(what, "hardware", device[i], number[i], time[i])
            for what, i in ((Happening.FAULT, told), (Happening.DEAD, ~told))
        ]


@dataclass(frozen=True)
class CommunicationLoss:
    """The radio part fails (needs a visit), or coverage is lost and mostly comes back."""

    radio_per_year: float = tunable(
        0.01,
        "share of devices whose radio part fails in a year",
        "assumption",
        "0.002 to 0.05",
        most=0.999,
    )
    coverage_loss_per_year: float = tunable(
        0.1, "losses of coverage per device-year at level 0", "assumption", "0.02 to 0.5"
    )
    worse_per_level: float = tunable(
        2.0, "factor on it for each coverage level", "assumption", "1 to 5"
    )
    heals_share: float = tunable(
        0.8, "share of coverage losses that heal themselves", "assumption", "0.5 to 0.95", most=1.0
    )
    heals_after_s: float = tunable(12 * 3600.0, "mean time to that, s", "assumption", "1 h to 3 d")

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        kind, size = population.kind.name, population.size
        radio = _simple(
            population,
            streams,
            period,
            ("cut_off", kind, "radio"),
            Happening.CUT_OFF,
            hazard_per_s(self.radio_per_year) * YEAR_S,
        )
        radio = dataclasses.replace(radio, until=np.full(radio.time.size, np.inf))
        level = population.coverage if population.kind.link == "nbiot" else np.zeros(size)
        rate = self.coverage_loss_per_year / YEAR_S * self.worse_per_level ** level.astype(float)
        name = ("cut_off", kind, "coverage")
        device, number, time = rounds(streams, name, size, steady(rate), period.seconds, FLAT_HOURS)
        luck = marks(streams, (*name, "heals"), size, device, number, uniforms)
        length = marks(streams, (*name, "length"), size, device, number, exponentials)
        until = np.where(luck < self.heals_share, time + length * self.heals_after_s, np.inf)
        return [radio, Occurrences(Happening.CUT_OFF, "coverage", device, number, time, until)]


@dataclass(frozen=True)
class BatteryDrain:
    """The battery empties by its standby current and by every report."""

    standby_W: float = tunable(  # noqa: N815 - the unit's own letter
        42e-6,
        "standby power, W: 14 uA at 3 V",
        "a vendor's manual: smoke detector monitoring current < 14 uA",
        "15e-6 to 60e-6",
    )
    report_J_0: float = tunable(  # noqa: N815
        0.128,
        "energy of a report at coverage level 0, J: 35.5 uWh, mean of Ericsson (65) and Huawei (6)",
        "Stellenbosch MSc thesis (2020)",
        "0.02 to 0.24",
    )
    report_J_1: float = tunable(  # noqa: N815
        0.799,
        "the same at level 1: 222 uWh, mean of 354 and 90",
        "Stellenbosch MSc thesis (2020)",
        "0.32 to 1.3",
    )
    report_J_2: float = tunable(  # noqa: N815
        4.24,
        "the same at level 2: 1,178 uWh, mean of 238 and 2,117",
        "Stellenbosch MSc thesis (2020)",
        "0.86 to 7.7",
    )
    usable_share: float = tunable(
        0.6,
        "share of the nominal energy that is usable (self-discharge, cold, pulse load, alarms)",
        "assumption",
        "0.4 to 0.85",
        most=1.0,
    )
    spread: float = tunable(
        0.1,
        "standard deviation of the life of single batteries, as a share",
        "assumption",
        "0 to 0.3",
    )

    def life_s(self, capacity_J: float, interval_s: ArrayLike, coverage: ArrayLike) -> Floats:  # noqa: N803
        """Life of a fresh battery of the capacity until it is empty, s."""
        report = np.array([self.report_J_0, self.report_J_1, self.report_J_2])[
            np.asarray(coverage, np.intp)
        ]
        return np.asarray(
            capacity_J * self.usable_share / (self.standby_W + report / np.asarray(interval_s))
        )

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        """The battery in place at t = 0; a later one is its changer's concern."""
        kind = population.kind
        life = battery_life_s(kind, population.report_interval_s, population.coverage)
        normals = streams.generator("battery", kind.name).standard_normal(population.size)
        left = (1 - population.battery_used) * life * np.maximum(1 + self.spread * normals, 0.1)
        time = np.maximum(left - LOW_BATTERY_RESERVE_S, 0.0)
        return [_once(Happening.BATTERY_LOW, "battery", time, period, until=left)]


@dataclass(frozen=True)
class Contamination:
    """The detector reports that it needs cleaning (its kind says how fast it gets dirty)."""

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        """The first report of each device; the next comes after a cleaning."""
        growth = soiling_per_s(population, streams)
        with np.errstate(divide="ignore"):
            time = np.maximum(1 - population.contamination, 0.0) / growth
        return [_once(Happening.CONTAMINATED, "contamination", time, period)]


@dataclass(frozen=True)
class Tampering:
    """Somebody takes the device off or covers it."""

    tampered_per_year: float = tunable(0.01, "tamperings per device-year", "assumption", "0 to 0.1")

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        name = ("tampered", population.kind.name)
        return [
            dataclasses.replace(
                _simple(
                    population,
                    streams,
                    period,
                    name,
                    Happening.TAMPERED,
                    self.tampered_per_year,
                    WAKING_HOURS,
                ),
                cause="removed",
            )
        ]


@dataclass(frozen=True)
class EndOfLife:
    """The device reaches the life of its kind; one that already has says so at t = 0."""

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:  # noqa: ARG002
        time = np.maximum(population.kind.life_years * YEAR_S - population.age_s, 0.0)
        return [_once(Happening.END_OF_LIFE, "life", time, period)]


@dataclass(frozen=True)
class SelfTest:
    """A built-in self-test at a fixed interval, each device at its own phase."""

    self_test_interval_s: float = tunable(
        30 * DAY_S, "interval of self-tests, s", "assumption", "1 d to 365 d"
    )

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        interval = self.self_test_interval_s
        if interval <= 0:
            return []
        phase = streams.generator("self_test", population.kind.name).random(population.size)
        k = np.arange(int(period.seconds / interval) + 1, dtype=np.int32)
        time = ((phase + k[:, None]) * interval).ravel()
        number = np.repeat(k, population.size)
        device = np.tile(np.arange(population.size, dtype=np.int32), k.size)
        inside = time < period.seconds
        return [
            Occurrences(
                Happening.OPERATION, "self_test", device[inside], number[inside], time[inside]
            )
        ]


@dataclass(frozen=True)
class EarlyWarning:
    """A measured quantity goes beyond its setting (residual current, temperature)."""

    quantity: str
    setting: float
    """In the unit of the quantity: mA, degrees C, V, m."""
    warning_per_year: float = tunable(
        None,
        "early warnings per device-year",
        "assumption",
        "1/3 to 3 times",
        name="{quantity}_per_year",
    )
    excess: float = tunable(
        0.3,
        "mean excess over the setting, as a share of it",
        "assumption",
        "0.05 to 1",
        name="{quantity}_excess",
    )

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        name = ("early_warning", population.kind.name, self.quantity)
        found = _simple(
            population, streams, period, name, Happening.EARLY_WARNING, self.warning_per_year
        )
        over = marks(
            streams, (*name, "excess"), population.size, found.device, found.round, exponentials
        )
        return [dataclasses.replace(found, value=self.setting * (1 + self.excess * over))]


@dataclass(frozen=True)
class Supervisory:
    """A supervised function leaves its normal state: valve closed, door open, hydrant hit."""

    state: str
    off_normal_per_year: float = tunable(
        None, "times per device-year", "assumption", "1/3 to 3 times", name="{state}_per_year"
    )
    back_after_s: float = tunable(
        None,
        "mean time until it is normal again by itself, s; 0: only by a visit",
        "assumption",
        "1/3 to 3 times",
        name="{state}_back_after_s",
    )

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        name = ("supervisory", population.kind.name, self.state)
        found = _simple(
            population,
            streams,
            period,
            name,
            Happening.SUPERVISORY,
            self.off_normal_per_year,
            WAKING_HOURS,
        )
        if self.back_after_s == 0:
            return [dataclasses.replace(found, until=np.full(found.time.size, np.inf))]
        length = marks(
            streams, (*name, "length"), population.size, found.device, found.round, exponentials
        )
        return [dataclasses.replace(found, until=found.time + length * self.back_after_s)]


@dataclass(frozen=True)
class Operation:
    """Ordinary use that the device reports (water use, door opened, mute)."""

    use: str
    use_per_year: float = tunable(
        None, "times per device-year", "assumption", "1/3 to 3 times", name="{use}_per_year"
    )

    def sample(self, population: Population, streams: Streams, period: Period) -> list[Occurrences]:
        name = ("operation", population.kind.name, self.use)
        return [
            _simple(
                population,
                streams,
                period,
                name,
                Happening.OPERATION,
                self.use_per_year,
                WAKING_HOURS,
            )
        ]


@dataclass(frozen=True)
class Actuation:
    """What the device does by itself on its own alarms: a reaction to other behaviours.

    ``causes`` are the alarm causes that set it off; empty: every alarm of the device.
    """

    action: str
    causes: frozenset[str] = frozenset()
    acts_share: float = tunable(
        0.98,
        "share of alarms on which it works",
        "assumption",
        "0.9 to 1",
        name="{action}_share",
        most=1.0,
    )
    acts_after_s: float = tunable(
        5.0, "delay after the alarm, s", "assumption", "1 s to 30 s", name="{action}_after_s"
    )

    def react(
        self, population: Population, streams: Streams, happened: list[Occurrences]
    ) -> list[Occurrences]:
        """The actuations that follow from the alarms among what happened."""
        found = []
        for alarm in happened:
            if alarm.what != Happening.ALARM or (self.causes and alarm.cause not in self.causes):
                continue
            name = ("actuation", population.kind.name, self.action, alarm.cause)
            luck = marks(streams, name, population.size, alarm.device, alarm.round, uniforms)
            works = luck < self.acts_share
            found.append(
                Occurrences(
                    Happening.ACTUATION,
                    self.action,
                    alarm.device[works],
                    alarm.round[works],
                    alarm.time[works] + self.acts_after_s,
                )
            )
        return found


def sample(population: Population, streams: Streams, period: Period) -> list[Occurrences]:
    """Everything that happens to a population: all behaviours of its kind, empty ones left out.

    Repairs are not known here: what happens to a device that is already down is thinned out by
    the caller.
    """
    kind = population.kind
    found = [o for b in kind.behaviours for o in b.sample(population, streams, period)]
    found += [o for r in kind.reactions for o in r.react(population, streams, found)]
    return [o for o in found if o.device.size]


def battery_life_s(kind: DeviceKind, report_interval_s: ArrayLike, coverage: ArrayLike) -> Floats:
    """Life of a fresh battery until it is empty, s; inf for kinds without one.

    The low-battery warning comes :data:`~devices.population.LOW_BATTERY_RESERVE_S` before that
    (at once where the life is shorter). Single batteries differ: see ``BatteryDrain.spread``.

    Parameters
    ----------
    report_interval_s, coverage : heartbeat interval (s) and coverage level, one or one per device.
    """
    for behaviour in kind.behaviours:
        if isinstance(behaviour, BatteryDrain) and kind.battery_capacity_J is not None:
            return behaviour.life_s(kind.battery_capacity_J, report_interval_s, coverage)
    return np.full(np.broadcast(report_interval_s, coverage).shape, np.inf)


def _simple(
    population: Population,
    streams: Streams,
    period: Period,
    name: tuple[str, ...],
    what: Happening,
    per_year: float,
    hours: Floats = FLAT_HOURS,
) -> Occurrences:
    """Happenings at one rate for all devices; the last word of the stream's name is the cause."""
    device, number, time = rounds(
        streams, name, population.size, steady(per_year / YEAR_S), period.seconds, hours
    )
    return Occurrences(what, name[-1], device, number, time)


def _once(
    what: Happening, cause: str, time: Floats, period: Period, until: Floats | None = None
) -> Occurrences:
    """At most one happening per device, at the given times where they lie within the period."""
    device: Indices = np.flatnonzero(time < period.seconds).astype(np.int32)
    return Occurrences(
        what,
        cause,
        device,
        np.zeros(device.size, np.int32),
        time[device],
        None if until is None else until[device],
    )
