"""Quantities of a scenario file: strings with a unit (``"24 h"``, ``"8 km"``), read into SI.

The annotated types below are used in the settings of every part. In the code a time is in
seconds, a distance in metres, a speed in m/s, a rate per second and a share a number from 0 to 1;
in a file any unit of the dimension is accepted. :func:`param` declares a setting with its source.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic_core import core_schema

TIME_UNITS: Mapping[str, float] = {
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "week": 604800.0,
    "year": 365.25 * 86400.0,
}
LENGTH_UNITS: Mapping[str, float] = {"mm": 1e-3, "cm": 1e-2, "m": 1.0, "km": 1000.0}
SPEED_UNITS: Mapping[str, float] = {"km/h": 1 / 3.6, "m/s": 1.0, "mph": 0.44704}
RATE_UNITS: Mapping[str, float] = {"/" + unit: 1.0 / s for unit, s in TIME_UNITS.items()}
SHARE_UNITS: Mapping[str, float] = {"%": 0.01, "": 1.0}
AREA_UNITS: Mapping[str, float] = {"m2": 1.0, "km2": 1e6}
ENERGY_UNITS: Mapping[str, float] = {"J": 1.0, "uWh": 3.6e-3, "mWh": 3.6, "Wh": 3600.0}
CURRENT_UNITS: Mapping[str, float] = {"uA": 1e-6, "mA": 1e-3, "A": 1.0}

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*\Z")


@dataclass(frozen=True)
class Quantity:
    """The dimension of an annotated float: how it is read, checked and written.

    Parameters
    ----------
    dimension : its name in messages.
    units : accepted units, each with its size in SI.
    example : a value as a user would write it.
    least, most : the closed range of meaningful values, in SI.
    """

    dimension: str
    units: Mapping[str, float]
    example: str
    least: float = 0.0
    most: float = float("inf")

    def read(self, raw: object) -> float:
        """A value of a file, in SI. A bare number is read where the dimension has a bare unit."""
        if isinstance(raw, (int, float)) and not isinstance(raw, bool) and "" in self.units:
            try:
                number, unit = float(raw), ""
            except OverflowError:  # a whole number of hundreds of digits
                number, unit = float("inf"), ""
        else:
            match = _NUMBER.match(raw) if isinstance(raw, str) else None
            if match is None or match[2] not in self.units:
                units = ", ".join(filter(None, self.units))
                raise ValueError(
                    f"not a {self.dimension}: write a number and a unit ({units}), "
                    f'for example "{self.example}"'
                )
            number, unit = float(match[1]), match[2]
        value = number * self.units[unit]
        if not self.least <= value <= self.most:
            raise ValueError(
                f"a {self.dimension} from {self.write(self.least)} to {self.write(self.most)} "
                f"is expected here"
            )
        return value

    def write(self, value: float) -> str:
        """The shortest text with a unit that reads back to the same float."""
        texts = []
        for unit, size in self.units.items():
            number = repr(float(f"{value / size:.12g}")).removesuffix(".0")
            if float(number) * size == value:
                texts.append(f"{number} {unit}".strip())
        base = next(unit for unit, size in self.units.items() if size == 1.0)
        return min(texts, key=len) if texts else f"{value!r} {base}".strip()

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read, serialization=core_schema.plain_serializer_function_ser_schema(self.write)
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        units = "|".join(map(re.escape, self.units))
        text = {
            "type": "string",
            "pattern": rf"^\s*[-+]?[0-9.]+([eE][-+]?[0-9]+)?\s*({units})\s*$",
            "examples": [self.example],
        }
        return {"anyOf": [text, {"type": "number"}]} if "" in self.units else text


# The upper bounds catch slips (a wrong unit, a zero too many) before they become endless runs.
DAY_S = 86400.0
YEAR_S = TIME_UNITS["year"]
Seconds = Annotated[float, Quantity("time", TIME_UNITS, "24 h", most=100 * YEAR_S)]
Metres = Annotated[float, Quantity("length", LENGTH_UNITS, "8 km", most=1000e3)]
Speed = Annotated[float, Quantity("speed", SPEED_UNITS, "60 km/h", least=0.1, most=400 / 3.6)]
Rate = Annotated[float, Quantity("rate", RATE_UNITS, "0.03 /year", most=1000 * RATE_UNITS["/year"])]
Share = Annotated[float, Quantity("share", SHARE_UNITS, "97 %", most=1.0)]
Area = Annotated[float, Quantity("area", AREA_UNITS, "80 m2")]
Energy = Annotated[float, Quantity("energy", ENERGY_UNITS, "65 uWh")]
Current = Annotated[float, Quantity("current", CURRENT_UNITS, "14 uA")]


class Settings(BaseModel):
    """Base of the settings that a part takes from a scenario: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _sane(cls, value: object, info: ValidationInfo) -> object:
        """Refuses what a type would let pass: true for 1, a text that no file name can be."""
        field = cls.model_fields[str(info.field_name)]
        plain = field.annotation in (int, float, int | None, float | None) and not any(
            isinstance(one, Quantity) for one in field.metadata
        )
        if isinstance(value, bool) and plain:
            raise ValueError("a number is expected, not true or false")
        if isinstance(value, str) and "\0" in value:
            raise ValueError("a text without null characters is expected")
        return value


def param(
    default: Any,
    what: str,
    source: str,
    *,
    vary: str = "",
    least: float | None = None,
    most: float | None = None,
) -> Any:
    """A setting with its meaning and its source.

    Parameters
    ----------
    default : the default, as a user would write it (``"24 h"``).
    what : what it is, in a line.
    source : where the number comes from; ``"assumption"`` where there is no source.
    vary : the range to vary it over; every assumption names one.
    least, most : the closed range of values allowed, for plain numbers.
    """
    return Field(
        default,
        description=what,
        validate_default=True,
        ge=least,
        le=most,
        json_schema_extra={"source": source, "vary": vary},
    )
