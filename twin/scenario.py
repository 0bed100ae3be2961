"""A scenario file: TOML that puts the settings of all parts together.

Tables are keyed by name, quantities carry their unit, and ``extends`` builds on another scenario.
Every error names the file, the place in it, what is wrong and what would be right.
"""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator, model_validator

from twin.alarmcore.settings import AlarmCoreSettings
from twin.assessment.checklist import CHECKLIST
from twin.center.settings import CenterSettings
from twin.center.sizing import SizeSettings
from twin.network.settings import NetworkSettings
from twin.quantity import TIME_UNITS, Quantity, Settings, param
from twin.roads.settings import RoadSettings
from twin.siting.settings import SitingSettings
from twin.vendor.settings import VendorSettings
from twin.venues.settings import RolloutSettings, VenueSettings

YEAR_S = 365 * 86400.0

_OFTEN = ("_per_year", "_factor", "_gain", "_per_level")
_LEAST = {
    "life_years": 0.1,
    "soiling_years": 0.01,
    "battery_capacity_J": 1.0,
    "self_test_interval_s": 3600.0,
}
"""Numbers of device kinds below which a year has no end: everything happens all the time."""
_DEEPEST = 20  # scenarios that extend each other

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
    purpose_zh: str = param("", "the same in Chinese, for a report in Chinese", "input")
    seed: int = param(1, "seed of all random streams", "input", least=0, most=2**63 - 1)
    start: dt.date = Field(
        dt.date(2026, 1, 1),
        description="first day; it begins at midnight",
        ge=dt.date(1970, 1, 2),
        le=dt.date(2100, 1, 1),
    )
    duration: Period = param("365 d", "length of the run", "input")
    time_zone: str = param(
        "Asia/Shanghai",
        "IANA time zone of the center; its offset of the first day holds all through, clocks are "
        "not put forward or back",
        "input",
    )
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
    siting: SitingSettings | None = Field(
        None, description="where centers go (`twin site`); a run does not look at it"
    )
    size: SizeSettings | None = Field(
        None, description="how a center is sized (`twin size`); a run does not look at it"
    )
    rollout: RolloutSettings | None = Field(
        None, description="what is connected year by year (`twin size`); a run does not look at it"
    )

    @model_validator(mode="before")
    @classmethod
    def _alike(cls, data: object) -> object:
        """Centers that are ``like`` another one get what they do not say themselves from it."""
        centers = data.get("centers") if isinstance(data, dict) else None
        if not isinstance(data, dict) or not isinstance(centers, dict):
            return data
        return {**data, "centers": {name: _like(centers, name, ()) for name in centers}}

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(
                f'"{name[:60]}" is not an IANA time zone; write for example "Asia/Shanghai"'
            ) from error
        return name

    @field_validator("devices")
    @classmethod
    def _devices(cls, table: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        from devices.kinds import KINDS, with_overrides

        with_overrides(KINDS, table)
        for kind, numbers in table.items():
            for name, value in numbers.items():
                if name in _LEAST and value < _LEAST[name]:
                    raise ValueError(
                        f"{kind}.{name}: {value:g} is less than any device has; at least "
                        f"{_LEAST[name]:g} is expected"
                    )
                if name.endswith(_OFTEN) and value > 1000:
                    raise ValueError(f"{kind}.{name}: {value:g} is too much; at most 1000")
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
        places: dict[tuple[float | None, float | None], str] = {}
        for name, center in self.centers.items():
            other = places.setdefault((center.lon, center.lat), name)
            if other != name:
                raise ValueError(
                    f"centers.{other} and centers.{name} stand at the same place; give each its "
                    "own lon and lat"
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
            _put(data, key.split("."), value, key)
        return _checked(data, "the changed scenario", [])

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
    layers = _read(path, [])
    data: dict[str, Any] = {}
    for where, tables in layers:
        data = _merged(data, tables, where)
    for override in overrides:
        option = f"--set {_short(override)}"
        keys, value = _override(override, option)
        tables = {}
        _put(tables, keys, value, option)
        _anchor(tables, Path.cwd(), option)
        layers.append((option, tables))
        _put(data, keys, _at(tables, keys), option)
    data.setdefault("name", path.stem)
    return _checked(data, str(path), layers)


def scenario_schema() -> dict[str, Any]:
    """The JSON schema of a scenario file, for editors; ``extends`` included."""
    schema = Scenario.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "the file, or the shipped scenario, that this one builds on",
    }
    center = schema["$defs"]["CenterSettings"]["properties"]
    schema["$defs"]["CenterSettings"]["properties"] = {
        "like": {
            "type": "string",
            "description": "another center of the scenario: what this one does not say itself "
            f"(all but {', '.join(_ITS_OWN)}) is as there",
        },
        **center,
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


Layer = tuple[str, dict[str, Any]]
"""Where settings come from (a file, an option), and their tables."""


def _find(source: str | Path) -> Path:
    path = Path(source)
    shipped = shipped_scenarios()
    if str(source) in shipped and not path.is_file():
        return shipped[str(source)]
    if path.is_dir():
        raise ScenarioError(f"{path}: is a folder; a scenario is a TOML file")
    if path.exists():
        return path
    raise ScenarioError(
        f"{_short(str(source))}: no such file, and no shipped scenario of that name "
        f"(there are {', '.join(shipped) or 'none'})"
    )


_FILES = (
    ("roads", "file"),
    ("roads", "hazards_file"),
    ("venues", "file"),
    ("siting", "candidates_file"),
    ("siting", "premises_file"),
    ("siting", "hydrants_file"),
)


def _read(path: Path, chain: list[Path]) -> list[Layer]:
    """The tables of a file, after those of the files that it extends."""
    here = [*chain, path.resolve()]
    if path.resolve() in chain:
        way = " -> ".join(p.name for p in here[chain.index(path.resolve()) :])
        raise ScenarioError(f"{path}: extends leads back to this file: {way}")
    if len(here) > _DEEPEST:
        raise ScenarioError(f"{path}: extends goes through more than {_DEEPEST} files")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except RecursionError as error:
        raise ScenarioError(f"{path}: not a scenario: it is nested too deeply") from error
    except ValueError as error:
        raise ScenarioError(
            f"{path}: not a scenario: a number in it has thousands of digits"
        ) from error
    _anchor(data, path.parent, str(path))
    base = data.pop("extends", None)
    if base is None:
        return [(str(path), data)]
    if not isinstance(base, str) or "\0" in base:
        raise ScenarioError(f"{path}: extends: write the name of a scenario or a file in quotes")
    beside = path.parent / base
    try:
        found = beside if beside.is_file() else _find(base)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: extends: {error}") from error
    # A scenario of its own has its own name and purpose, not those it builds on.
    own = {"name": path.stem, "purpose": "", "purpose_zh": "", **data}
    return [*_read(found, here), (str(path), own)]


def _anchor(data: dict[str, Any], folder: Path, where: str) -> None:
    """Makes the paths in a file relative to the file."""
    tables = [(table, data.get(table), key) for table, key in _FILES]
    centers = data.get("centers")
    if isinstance(centers, dict):
        tables += [(f"centers.{name}", center, "area") for name, center in centers.items()]
    for place, table, key in tables:
        if isinstance(table, dict) and isinstance(table.get(key), str):
            if "\0" in table[key]:
                raise ScenarioError(f"{where}: {place}.{key}: a null character is in no file name")
            table[key] = str((folder / table[key]).resolve())


def _merged(base: Mapping[str, Any], over: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Tables merged key by key: what the upper file does not name stays."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = _merged(below, value, where)
        elif isinstance(value, Mapping) and below is not None:
            raise ScenarioError(f"{where}: {key} is a value, not a table")
        else:
            merged[key] = value
    return merged


_ITS_OWN = ("lon", "lat", "area")
"""What a center does not take from the one that it is like: where it stands and what it serves."""


def _like(centers: Mapping[str, Any], name: str, chain: tuple[str, ...]) -> Any:
    """A center's table with all that it takes from the center that it is ``like``."""
    own = centers[name]
    if not isinstance(own, dict) or "like" not in own:
        return own
    other, known = own["like"], [n for n in centers if n != name]
    if not isinstance(other, str) or other not in known:
        raise ValueError(
            f"centers.{name}.like: write the name of another center of the scenario; "
            + (f"there are {', '.join(known)}" if known else "there is no other one")
        )
    if other in chain:
        raise ValueError(f"centers.{name}.like: leads back to itself ({' -> '.join(chain)})")
    base = _like(centers, other, (*chain, name))
    if not isinstance(base, dict):
        return own
    kept = {key: value for key, value in base.items() if key not in _ITS_OWN}
    mine = {key: value for key, value in own.items() if key != "like"}
    return _merged(kept, mine, f"centers.{name}")


def _put(data: dict[str, Any], keys: Sequence[str], value: Any, where: str) -> None:
    """Sets one setting, or one table as a whole."""
    *tables, last = keys
    for table in tables:
        data = data.setdefault(table, {})
        if not isinstance(data, dict):
            raise ScenarioError(f"{where}: {table} is a value, not a table")
    data[last] = value


def _at(tables: Any, keys: Sequence[Any]) -> Any:
    """What stands at a place, None where nothing does."""
    for key in keys:
        tables = tables.get(key) if isinstance(tables, dict) else None
    return tables


def _override(text: str, option: str) -> tuple[list[str], Any]:
    """Place and value of ``KEY=VALUE``, both as TOML writes them; what is not TOML is text."""
    if len(text.splitlines()) > 1:
        raise ScenarioError(f"{option}: is more than one line; use --set once for each setting")
    for at, char in enumerate(text):
        tables = _toml_of(f"{text[:at]} = 0") if char == "=" else None
        if tables is not None:
            break
    else:
        raise ScenarioError(f'{option}: write KEY=VALUE, for example "seed=2"')
    given = text[at + 1 :].strip()
    value = (_toml_of(f"value = {given}") or {"value": given})["value"]
    keys: list[str] = []
    inner: Any = tables
    while isinstance(inner, dict):
        keys.append(next(iter(inner)))
        inner = inner[keys[-1]]
    return keys, value


def _toml_of(line: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(line)
    except (ValueError, RecursionError):
        return None


def _short(text: str) -> str:
    text = " ".join(text.splitlines())
    return text if len(text) <= 100 else f"{text[:70]} ... {text[-20:]}"


def _checked(data: Mapping[str, Any], where: str, layers: Sequence[Layer]) -> Scenario:
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        lines = [_said(_origin(where, layers, e["loc"]), e) for e in error.errors()]
        raise ScenarioError("\n".join(dict.fromkeys(lines))) from error


def _origin(where: str, layers: Sequence[Layer], place: Sequence[Any]) -> str:
    """The uppermost layer that sets a value; the scenario's file where none does."""
    for name, tables in reversed(layers):
        if place and _at(tables, place) is not None:
            return name
    return where


_TABLES = ("model_type", "model_attributes_type", "dict_type")


def _said(where: str, error: Any) -> str:
    """One line for a pydantic error: file, place, what is wrong, what would be right."""
    place = _short(".".join(str(part) for part in error["loc"]))
    if error["type"] == "extra_forbidden":
        known = _keys_at(error["loc"][:-1])
        return f"{where}: {place}: unknown setting; known here are {', '.join(known)}"
    text = error["msg"].removeprefix("Value error, ")
    if error["type"] in _TABLES:
        text = f"a table is expected ([{place}])"
    given = error["input"]
    simple = isinstance(given, (str, int, float, bool, list))
    shown = f" (found {_short(_literal(given))})" if simple else ""
    return f"{where}: {place}: {text}{shown}" if place else f"{where}: {text}"


def _keys_at(place: Sequence[Any]) -> list[str]:
    """The settings that a table of the scenario can hold."""
    model: Any = Scenario
    for part in place:
        fields = getattr(model, "model_fields", None)
        if fields is not None and part in fields:
            model = fields[part].annotation
            # a table that may be absent is "Settings | None"
            options: tuple[Any, ...] = getattr(model, "__args__", ())
            model = options[0] if type(None) in options else model
            continue
        model = getattr(model, "__args__", (None, None))[-1]
    like = ("like",) if model is CenterSettings else ()
    return sorted((*getattr(model, "model_fields", {}), *like))


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
    # JSON's escapes are TOML's, but for the one control character that JSON leaves alone
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
