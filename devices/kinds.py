"""The device kinds: what each is, how long it lives, and the behaviours it is composed of.

To add a kind, add an entry to ``_ALL``. Rates without a source beside them are assumptions; the
behaviour's field names the range to vary them over. Lives of devices are second-hand figures
(smoke 12 years, gas sensors 5 years; 8.1 and GB 29837 as quoted) unless marked otherwise.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from devices.behaviour import (
    Actuation,
    BatteryDrain,
    Behaviour,
    CommunicationLoss,
    Contamination,
    EarlyWarning,
    EndOfLife,
    HardwareFault,
    Hazard,
    Nuisance,
    Operation,
    SelfTest,
    Supervisory,
    Tampering,
    TestAlarm,
)
from devices.causes import FIRE_CAUSES

Detection = tuple[float, float]
"""Probability that the kind detects a fire in its venue at all, and the mean delay (s) if so."""


@dataclass(frozen=True)
class DeviceKind:
    """A kind of device.

    Parameters
    ----------
    name, name_zh : in code and in Chinese reports.
    category : ``fire``, ``gas``, ``electrical``, ``water``, ``passage`` or ``gateway``.
    power, link : where its energy comes from, and over what it speaks.
    life_years : age at which it has to be replaced.
    is_point : counts as a networked point (5.1.12); gateways do not.
    alarms : raises alarm messages of the procedure of clause 6.
    battery_capacity_J : nominal energy of its battery, None on mains or bus power.
    soiling_years : mean years from clean to needs-cleaning; inf: does not get dirty.
    behaviours : everything that it does or suffers.
    reactions : what it does by itself on its own alarms.
    detects : for each fire cause it can see, how surely and how fast.
    """

    name: str
    name_zh: str
    category: Literal["fire", "gas", "electrical", "water", "passage", "gateway"]
    power: Literal["battery", "mains"]
    link: Literal["nbiot", "rs485", "cellular"]
    life_years: float
    behaviours: tuple[Behaviour, ...]
    alarms: bool = False
    is_point: bool = True
    battery_capacity_J: float | None = None  # noqa: N815 - the unit's own letter
    soiling_years: float = math.inf
    reactions: tuple[Actuation, ...] = ()
    detects: Mapping[str, Detection] = field(default_factory=dict)


@dataclass(frozen=True)
class Tunable:
    """One number of a kind that a scenario may override, as the report lists it."""

    value: float
    what: str
    source: str
    vary: str
    most: float


CR123A_J = 16_200.0
"""3 V, 1,500 mAh lithium cell: the usual nominal rating (one cell; assumption for the kind)."""

LITHIUM_PACK_J = 68_400.0
"""3.6 V, 19 Ah lithium thionyl chloride D cell (ER34615): the usual nominal rating."""

# Nuisance alarms of a clean smoke alarm at an average site: 0.05 a year in all (assumption, 0.01 to
# 0.2: BS 5839-1 has 1/100 to 1/50 per detector, an Alaska study 0.23 per home of several alarms).
# Shares of causes: Avon, July 2014, dwellings: cooking 32, unknown 20, faulty 13, dust 7,
# accidental 4, steam 3 %; what that count leaves open goes to smoking and insects (assumption).
_SMOKE = 0.05
_SMOKE_NUISANCE = (
    ("cooking", 0.32 * _SMOKE),
    ("unknown", 0.20 * _SMOKE),
    ("equipment", 0.13 * _SMOKE),
    ("dust", 0.07 * _SMOKE),
    ("accidental", 0.04 * _SMOKE),
    ("steam", 0.03 * _SMOKE),
    ("smoking", 0.12 * _SMOKE),
    ("insects", 0.06 * _SMOKE),
)

_COMMON: tuple[Behaviour, ...] = (HardwareFault(), CommunicationLoss(), EndOfLife())
_WIRED: tuple[Behaviour, ...] = (HardwareFault(), EndOfLife())  # on RS485: losses belong to the bus


def _sees(**causes: Detection) -> dict[str, Detection]:
    """Detections for all causes: those named, and ``other`` for the rest."""
    rest = causes.pop("rest")
    return {cause: causes.get(cause, rest) for cause in FIRE_CAUSES}


# How surely and fast a fire is seen: assumptions (probability 0.5 to 0.95, delays 1/3 to 3 times);
# smoke alarms see flaming fires within minutes and smouldering ones late.
_SMOKE_SEES = _sees(
    electrical=(0.80, 240.0),
    domestic_fire_use=(0.85, 150.0),
    left_embers=(0.80, 480.0),
    smoking_materials=(0.80, 600.0),
    rest=(0.75, 300.0),
)
_HEAT_SEES = _sees(electrical=(0.55, 480.0), domestic_fire_use=(0.80, 270.0), rest=(0.60, 420.0))

_ALL = (
    DeviceKind(
        name="smoke_alarm",
        name_zh="独立式感烟火灾探测报警器",
        category="fire",
        power="battery",
        link="nbiot",
        life_years=12,  # second-hand (8.1)
        alarms=True,
        battery_capacity_J=CR123A_J,
        soiling_years=4.0,  # assumption, 2 to 10; cleaned every 2 years (8.1, second-hand)
        behaviours=(
            Nuisance(_SMOKE_NUISANCE),
            TestAlarm(),
            HardwareFault(),
            CommunicationLoss(),
            BatteryDrain(),
            Contamination(),
            Tampering(),
            EndOfLife(),
            Operation("mute", 0.02),
        ),
        detects=_SMOKE_SEES,
    ),
    DeviceKind(
        name="heat_alarm",
        name_zh="独立式感温火灾探测报警器",
        category="fire",
        power="battery",
        link="nbiot",
        life_years=12,  # as smoke alarms
        alarms=True,
        battery_capacity_J=CR123A_J,
        soiling_years=10.0,  # assumption, 5 to 20
        behaviours=(
            # far fewer than smoke alarms (assumption, 0.002 to 0.02 in all)
            Nuisance((("cooking", 0.003), ("unknown", 0.002), ("equipment", 0.002))),
            TestAlarm(),
            HardwareFault(),
            CommunicationLoss(),
            BatteryDrain(),
            Contamination(),
            Tampering(),
            EndOfLife(),
        ),
        detects=_HEAT_SEES,
    ),
    DeviceKind(
        name="gas_detector",
        name_zh="可燃气体探测报警器",
        category="gas",
        power="mains",
        link="nbiot",
        life_years=5,  # gas sensors, second-hand (8.1)
        alarms=True,
        soiling_years=3.0,  # kitchen grease (5.2.5); assumption, 1 to 6
        behaviours=(
            Hazard("gas_leak", 0.004),
            Nuisance((("cooking", 0.01), ("vapour", 0.02), ("unknown", 0.01), ("equipment", 0.01))),
            TestAlarm(),
            HardwareFault(0.04),
            CommunicationLoss(),
            Contamination(),
            Tampering(),
            EndOfLife(),
        ),
        reactions=(Actuation("gas_valve_closed"),),  # 5.1.11: it closes the valve itself
    ),
    DeviceKind(
        name="manual_call_point",
        name_zh="手动报警按钮",
        category="fire",
        power="battery",
        link="nbiot",
        life_years=12,
        alarms=True,
        battery_capacity_J=CR123A_J,
        behaviours=(
            Nuisance((("accidental", 0.02), ("equipment", 0.002))),
            TestAlarm(),
            HardwareFault(0.02),
            CommunicationLoss(),
            BatteryDrain(standby_W=20e-6),
            EndOfLife(),
        ),
        # needs somebody there who presses it
        detects=_sees(rest=(0.25, 300.0)),
    ),
    DeviceKind(
        name="electricity_monitor",
        name_zh="无线电气火灾监控探测器",
        category="electrical",
        power="mains",
        link="nbiot",
        life_years=10,
        alarms=True,
        behaviours=(
            Hazard("short_circuit", 0.01),
            EarlyWarning("residual_current", 300.0, 0.15),  # mA; ARCM set range 300-1000 mA
            EarlyWarning("temperature", 70.0, 0.05),  # degrees C at a joint; assumption, 55 to 90
            Nuisance((("load", 0.01), ("equipment", 0.005))),
            *_COMMON,
        ),
        reactions=(Actuation("remote_trip", frozenset({"short_circuit"}), 0.9),),  # document 000
        detects=_sees(electrical=(0.30, 60.0), rest=(0.0, 0.0)),
    ),
    DeviceKind(
        name="hydrant_sensor",
        name_zh="智能消火栓监测终端",
        category="water",
        power="battery",
        link="nbiot",
        life_years=8,
        battery_capacity_J=LITHIUM_PACK_J,
        behaviours=(
            Supervisory("low_pressure", 0.3, 6 * 3600.0),
            Supervisory("tilt", 0.02, 0.0),
            Supervisory("collision", 0.03, 0.0),
            Supervisory("theft", 0.01, 0.0),
            Operation("water_use", 3.0),
            BatteryDrain(standby_W=100e-6),  # a sample every 60 s (Meokon); power: assumption
            HardwareFault(0.05),
            CommunicationLoss(),
            EndOfLife(),
        ),
    ),
    DeviceKind(
        name="water_pressure_sensor",
        name_zh="水压监测终端",
        category="water",
        power="battery",
        link="nbiot",
        life_years=8,
        battery_capacity_J=LITHIUM_PACK_J,
        behaviours=(
            Supervisory("low_pressure", 0.5, 12 * 3600.0),
            BatteryDrain(standby_W=100e-6),
            *_COMMON,
        ),
    ),
    DeviceKind(
        name="water_level_sensor",
        name_zh="水位监测终端",
        category="water",
        power="battery",
        link="nbiot",
        life_years=8,
        battery_capacity_J=LITHIUM_PACK_J,
        behaviours=(
            Supervisory("low_level", 0.4, 24 * 3600.0),
            BatteryDrain(standby_W=100e-6),
            *_COMMON,
        ),
    ),
    DeviceKind(
        name="valve_state_sensor",
        name_zh="阀门状态监测终端",
        category="water",
        power="battery",
        link="nbiot",
        life_years=8,
        battery_capacity_J=CR123A_J,
        behaviours=(
            Supervisory("valve_closed", 0.2, 0.0),
            BatteryDrain(standby_W=20e-6),
            *_COMMON,
        ),
    ),
    DeviceKind(
        name="fire_door_sensor",
        name_zh="防火门状态监测终端",
        category="passage",
        power="battery",
        link="nbiot",
        life_years=8,
        battery_capacity_J=CR123A_J,
        behaviours=(
            # a closed fire door is passed all day; only one left open is reported
            Supervisory("fire_door_open", 2.0, 4 * 3600.0),
            Operation("door_open", 12.0),
            BatteryDrain(standby_W=20e-6),
            *_COMMON,
        ),
    ),
    DeviceKind(
        name="local_alarm_system",
        name_zh="区域报警系统（用户信息传输装置）",
        category="fire",
        power="mains",
        link="cellular",
        life_years=10,
        alarms=True,
        behaviours=(
            # a system of about 30 detectors at BS 5839-1's 1/75 per detector-year
            Nuisance((("cooking", 0.08), ("dust", 0.08), ("unknown", 0.12), ("equipment", 0.12))),
            TestAlarm(1.0),
            Supervisory("main_power_lost", 1.0, 2 * 3600.0),
            HardwareFault(0.05),
            CommunicationLoss(),
            EndOfLife(),
            Operation("mute", 0.5),
        ),
        detects=_sees(rest=(0.9, 180.0)),
    ),
    DeviceKind(
        name="arcing_fault_detector",
        name_zh="故障电弧探测器",
        category="electrical",
        power="mains",
        link="rs485",
        life_years=10,
        alarms=True,
        behaviours=(
            Hazard("series_arc", 0.01),
            Hazard("parallel_arc", 0.004),
            Nuisance((("load", 0.03), ("equipment", 0.005))),
            SelfTest(),  # AAFD-32L simulates an arc to test itself
            *_WIRED,
        ),
        # GB 14287.4: alarm within 30 s of the arc
        detects=_sees(electrical=(0.40, 30.0), rest=(0.0, 0.0)),
    ),
    DeviceKind(
        name="residual_current_detector",
        name_zh="剩余电流式电气火灾监控探测器",
        category="electrical",
        power="mains",
        link="rs485",
        life_years=10,
        behaviours=(EarlyWarning("residual_current", 300.0, 0.15), *_WIRED),  # mA, as above
    ),
    DeviceKind(
        name="electrical_fire_host",
        name_zh="电气火灾监控设备（主机）",
        category="gateway",
        power="mains",
        link="cellular",
        life_years=10,
        is_point=False,
        behaviours=_COMMON,
    ),
)

KINDS: Mapping[str, DeviceKind] = MappingProxyType({kind.name: kind for kind in _ALL})
"""All kinds by name, in their fixed order."""

KIND_NAMES: tuple[str, ...] = tuple(KINDS)
"""Names of the kinds; arrays hold indices into it."""


def tunables(kind: DeviceKind) -> dict[str, Tunable]:
    """Every number of a kind that a scenario may override, by its name in a scenario."""
    found = {
        "life_years": Tunable(
            kind.life_years, "age at replacement, years", "8.1", "3 to 20", math.inf
        )
    }
    if math.isfinite(kind.soiling_years):
        found["soiling_years"] = Tunable(
            kind.soiling_years,
            "mean years from clean to needs-cleaning",
            "assumption",
            "1 to 20",
            math.inf,
        )
    if kind.battery_capacity_J is not None:
        found["battery_capacity_J"] = Tunable(
            kind.battery_capacity_J,
            "nominal energy of the battery, J",
            "usual cell ratings",
            "8000 to 140000",
            math.inf,
        )
    for part in (*kind.behaviours, *kind.reactions):
        for f in _tunable_fields(part):
            meta = f.metadata
            found[_name(part, f)] = Tunable(
                getattr(part, f.name), meta["what"], meta["source"], meta["vary"], meta["most"]
            )
    return found


def with_overrides(
    kinds: Mapping[str, DeviceKind], overrides: Mapping[str, Mapping[str, float]]
) -> dict[str, DeviceKind]:
    """The kinds with a scenario's numbers in place of the shipped ones.

    Parameters
    ----------
    overrides : by kind, by the names of :func:`tunables`, for example
        ``{"smoke_alarm": {"nuisance_factor": 10, "fault_per_year": 0.05}}``.

    Raises
    ------
    ValueError
        For an unknown kind or number, and for a value out of range.
    """
    result = dict(kinds)
    for kind_name, numbers in overrides.items():
        if kind_name not in kinds:
            raise ValueError(
                f'devices: unknown device kind "{kind_name}"; known are {", ".join(kinds)}'
            )
        kind = kinds[kind_name]
        known = tunables(kind)
        for name, value in numbers.items():
            if name not in known:
                raise ValueError(
                    f'devices.{kind_name}: unknown setting "{name}"; known are {", ".join(known)}'
                )
            most = known[name].most
            positive = name in _OF_THE_KIND
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or not math.isfinite(value)
                or not 0 <= value <= most
                or (positive and value == 0)
            ):
                upto = f"from 0 to {most:g}" if math.isfinite(most) else "of at least 0"
                expected = "above 0" if positive else upto
                raise ValueError(
                    f"devices.{kind_name}.{name}: {value!r} is not a number {expected}"
                )
        own = {k: v for k, v in numbers.items() if k in _OF_THE_KIND}
        result[kind_name] = dataclasses.replace(
            kind,
            behaviours=tuple(_replaced(b, numbers) for b in kind.behaviours),
            reactions=tuple(_replaced(r, numbers) for r in kind.reactions),
            **own,  # type: ignore[arg-type]
        )
    return result


_OF_THE_KIND = ("life_years", "soiling_years", "battery_capacity_J")


def _tunable_fields(part: Any) -> list[dataclasses.Field[Any]]:
    return [f for f in dataclasses.fields(part) if f.metadata]


def _name(part: Any, f: dataclasses.Field[Any]) -> str:
    return str(f.metadata["name"]).format(**vars(part)) or f.name


def _replaced(part: Any, numbers: Mapping[str, float]) -> Any:
    fields = {f.name: _name(part, f) for f in _tunable_fields(part)}
    changes = {own: float(numbers[name]) for own, name in fields.items() if name in numbers}
    return dataclasses.replace(part, **changes) if changes else part
