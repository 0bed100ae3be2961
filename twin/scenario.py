"""A scenario file: TOML that puts the settings of all parts together.

Tables are keyed by name, quantities carry their unit, and ``extends`` builds on another scenario.
Every error names the file, the place in it, what is wrong and what would be right.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator

from twin.alarmcore.settings import AlarmCoreSettings
from twin.assessment.checklist import CHECKLIST
from twin.center.settings import CenterSettings
from twin.network.settings import NetworkSettings
from twin.quantity import TIME_UNITS, Quantity, Settings, param
from twin.roads.settings import RoadSettings
from twin.vendor.settings import VendorSettings
from twin.venues.settings import VenueSettings

YEAR_S = 365 * 86400.0

Period = Annotated[
    float, Quantity("time", TIME_UNITS, "365 d", least=86400.0, most=10 * 366 * 86400.0)
]


class ScenarioError(ValueError):
    """A scenario that cannot be used; the message says where and why."""


class Scenario(Settings):
    """Everything that a run needs to know.

    Paths in it are absolute, or relative to the file that names them.
    """

    name: str = param("", "name of the scenario", "input")
    purpose: str = param("", "the question that it answers, in a line", "input")
    seed: int = param(1, "seed of all random streams", "input", least=0)
    start: dt.date = Field(dt.date(2026, 1, 1), description="first day; it begins at midnight")
    duration: Period = param("365 d", "length of the run", "input")
    time_zone: str = param("Asia/Shanghai", "IANA time zone of the center", "input")
    roads: RoadSettings = Field(default_factory=RoadSettings)
    venues: VenueSettings = Field(default_factory=VenueSettings)
    devices: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="numbers of device kinds that differ from the shipped ones, by kind",
    )
    conforms: dict[str, bool] = Field(
        default_factory=dict,
        description="device kinds whose model conforms to its national standard or not (4.10); "
        "a kind that is not named does",
    )
    network: NetworkSettings = Field(default_factory=NetworkSettings)
    vendors: dict[str, VendorSettings] = Field(default_factory=lambda: {"vendor": VendorSettings()})
    alarmcore: AlarmCoreSettings = Field(default_factory=AlarmCoreSettings)
    centers: dict[str, CenterSettings] = Field(default_factory=lambda: {"center": CenterSettings()})

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(
                f'"{name}" is not an IANA time zone; write for example "Asia/Shanghai"'
            ) from error
        return name

    @field_validator("devices")
    @classmethod
    def _devices(cls, table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        from devices.kinds import KINDS, with_overrides

        with_overrides(KINDS, table)
        return table

    @field_validator("conforms")
    @classmethod
    def _conforms(cls, table: dict[str, bool]) -> dict[str, bool]:
        from devices.kinds import KIND_NAMES

        for kind in table:
            if kind not in KIND_NAMES:
                raise ValueError(f'unknown device kind "{kind}"; known are {", ".join(KIND_NAMES)}')
        return table

    @field_validator("vendors")
    @classmethod
    def _vendors(cls, vendors: dict[str, VendorSettings]) -> dict[str, VendorSettings]:
        from devices.kinds import KIND_NAMES

        total = sum(vendor.share for vendor in vendors.values())
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"the shares of the vendors add up to {100 * total:g} %, not 100 %")
        for name, vendor in vendors.items():
            for kind in vendor.heartbeat_of:
                if kind not in KIND_NAMES:
                    raise ValueError(
                        f'{name}.heartbeat_of: unknown device kind "{kind}"; known are '
                        f"{', '.join(KIND_NAMES)}"
                    )
        return vendors

    @field_validator("centers")
    @classmethod
    def _centers(cls, centers: dict[str, CenterSettings]) -> dict[str, CenterSettings]:
        if not centers:
            raise ValueError("a scenario needs at least one center")
        for name, center in centers.items():
            for key in center.checklist:
                if key not in CHECKLIST:
                    raise ValueError(
                        f'{name}.checklist: unknown item "{key}"; the items are those of '
                        f"`twin schema`, for example {', '.join(list(CHECKLIST)[:3])}"
                    )
        return centers

    @model_validator(mode="after")
    def _placed(self) -> Scenario:
        unplaced = [name for name, center in self.centers.items() if center.lon is None]
        if len(self.centers) > 1 and unplaced:
            raise ValueError(
                f"centers.{unplaced[0]}: with more than one center each needs lon and lat"
            )
        return self

    @property
    def start_us(self) -> int:
        """Local midnight of the first day, microseconds since 1970-01-01 UTC."""
        midnight = dt.datetime.combine(self.start, dt.time(), ZoneInfo(self.time_zone))
        return int(midnight.timestamp()) * 1_000_000

    def changed(self, **tables: Any) -> Scenario:
        """The scenario with other settings, checked again: ``changed(seed=2)``.

        Nested settings are given by dotted keys: ``changed(**{"venues.points": 5000})``.
        """
        data = self.model_dump(mode="json", exclude_none=True)
        for key, value in tables.items():
            _put(data, key, value)
        return _checked(data, "the changed scenario")

    def toml(self) -> str:
        """The resolved scenario, every default written out."""
        return _toml(self.model_dump(mode="json", exclude_none=True))


def shipped_scenarios() -> dict[str, Path]:
    """The scenario files that come with the package, by name."""
    package = Path(__file__).parent
    for folder in (package / "scenarios", package.parent / "scenarios"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("*.toml"))}
    return {}


def load_scenario(source: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Reads a scenario from a file, or a shipped one by its name.

    Parameters
    ----------
    source : path of a TOML file, or the name of a shipped scenario (``"township"``).
    overrides : settings as on the command line, ``"venues.points=5000"``; values are TOML, and
        what is not TOML is text. Paths in them are relative to the working directory.

    Raises
    ------
    ScenarioError
        With the file, the place, what is wrong and what would be right.
    """
    path = _find(source)
    data = _read(path, [])
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            raise ScenarioError(f'--set {override}: write KEY=VALUE, for example "seed=2"')
        key, value = key.strip(), _value(text.strip())
        if isinstance(value, str) and _is_path(key.split(".")):
            value = str(Path(value).resolve())
        _put(data, key, value, f"--set {override}")
    data.setdefault("name", path.stem)
    return _checked(data, str(path))


def scenario_schema() -> dict[str, Any]:
    """The JSON schema of a scenario file, for editors; ``extends`` included."""
    schema = Scenario.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "the file, or the shipped scenario, that this one builds on",
    }
    items = {
        key: {"type": ["boolean", "number"], "description": item.question_en}
        for key, item in CHECKLIST.items()
    }
    checklist = schema["$defs"]["CenterSettings"]["properties"]["checklist"]
    checklist.pop("additionalProperties", None)
    checklist.update(properties=items, additionalProperties=False)
    return schema


# -- reading ----------------------------------------------------------------------------------


def _find(source: str | Path) -> Path:
    path = Path(source)
    if path.is_file():
        return path
    shipped = shipped_scenarios()
    if str(source) in shipped:
        return shipped[str(source)]
    raise ScenarioError(
        f"{source}: no such file, and no shipped scenario of that name "
        f"(there are {', '.join(shipped) or 'none'})"
    )


_FILES = (("roads", "file"), ("roads", "hazards_file"), ("venues", "file"))


def _read(path: Path, chain: list[Path]) -> dict[str, Any]:
    """The tables of a file, on top of those that it extends."""
    if path.resolve() in chain:
        raise ScenarioError(f"{path}: extends leads back to this file")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    _anchor(data, path.parent)
    base = data.pop("extends", None)
    if base is None:
        return data
    if not isinstance(base, str):
        raise ScenarioError(f"{path}: extends: write the name of a scenario or a file in quotes")
    beside = path.parent / base
    try:
        found = beside if beside.is_file() else _find(base)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: extends: {error}") from error
    return _merged(_read(found, [*chain, path.resolve()]), data)


def _anchor(data: dict[str, Any], folder: Path) -> None:
    """Makes the paths in a file relative to the file."""
    tables = [(data.get(table), key) for table, key in _FILES]
    centers = data.get("centers")
    if isinstance(centers, dict):
        tables += [(center, "area") for center in centers.values()]
    for table, key in tables:
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = str((folder / table[key]).resolve())


def _is_path(key: list[str]) -> bool:
    """Whether a setting names a file."""
    return tuple(key) in _FILES or (len(key) == 3 and key[0] == "centers" and key[2] == "area")


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged key by key; ``centers`` and ``vendors`` of the upper file replace the lower's
    where their names differ."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            named = key in ("centers", "vendors") and not set(value) & set(below)
            merged[key] = dict(value) if named else _merged(below, value)
        else:
            merged[key] = value
    return merged


def _put(data: dict[str, Any], key: str, value: Any, where: str = "") -> None:
    *tables, last = key.split(".")
    for table in tables:
        data = data.setdefault(table, {})
        if not isinstance(data, dict):
            raise ScenarioError(f"{where or key}: {table} is a value, not a table")
    data[last] = value


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _checked(data: Mapping[str, Any], where: str) -> Scenario:
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError("\n".join(_said(where, e) for e in error.errors())) from error


def _said(where: str, error: Any) -> str:
    """One line for a pydantic error: file, place, what is wrong, what would be right."""
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _keys_at(error["loc"][:-1])
        return f"{where}: {place}: unknown setting; known here are {', '.join(known)}"
    text = error["msg"].removeprefix("Value error, ")
    given = error["input"]
    shown = f" (found {given!r})" if isinstance(given, (str, int, float, bool)) else ""
    return f"{where}: {place}: {text}{shown}" if place else f"{where}: {text}"


def _keys_at(place: Sequence[Any]) -> list[str]:
    """The settings that a table of the scenario can hold."""
    model: Any = Scenario
    for part in place:
        fields = getattr(model, "model_fields", None)
        if fields is not None and part in fields:
            model = fields[part].annotation
            continue
        model = getattr(model, "__args__", (None, None))[-1]
    return sorted(getattr(model, "model_fields", {}))


# -- writing ----------------------------------------------------------------------------------


def _toml(data: Mapping[str, Any], path: tuple[str, ...] = ()) -> str:
    """TOML of nested tables of plain values, values before tables."""
    lines = [f"{_key(k)} = {_literal(v)}" for k, v in data.items() if not isinstance(v, Mapping)]
    text = "\n".join(lines) + "\n" if lines else ""
    for key, value in data.items():
        if isinstance(value, Mapping):
            inner = _toml(value, (*path, key))
            head = f"[{'.'.join(_key(part) for part in (*path, key))}]\n"
            text += ("\n" if text else "") + head + inner
    return text


def _key(key: str) -> str:
    plain = key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)
    return key if plain else _literal(key)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    for char, code in (("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        escaped = escaped.replace(char, code)
    return f'"{escaped}"'
