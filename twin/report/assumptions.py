"""The assumptions of a run: every setting whose source says so, with its value and its range."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from twin.quantity import Quantity
from twin.report.assumptions_zh import source_zh, value_zh, what_zh
from twin.report.texts import Language
from twin.scenario import Scenario


class Assumption(NamedTuple):
    """One number without a published source.

    Attributes
    ----------
    key : where it stands in a scenario (``center.response.call`` of every center is one row).
    value : as a scenario writes it; what, source, vary : from the setting's declaration.
    """

    key: str
    value: str
    what: str
    source: str
    vary: str


def assumptions(scenario: Scenario, lang: Language = "en") -> list[Assumption]:
    """The assumptions of a scenario, in its order; those of the devices follow, by kind."""
    found = [*_of_model(scenario, ()), *_of_devices(scenario)]
    if lang == "en":
        return found
    return [
        Assumption(
            entry.key,
            value_zh(entry.value),
            what_zh(entry.what),
            source_zh(entry.source),
            value_zh(entry.vary),
        )
        for entry in found
    ]


def _of_model(model: BaseModel, path: tuple[str, ...]) -> Iterator[Assumption]:
    written = model.model_dump(mode="json")
    for name, field in type(model).model_fields.items():
        here = (*path, name)
        value = getattr(model, name)
        extra = field.json_schema_extra
        if isinstance(extra, Mapping) and "assumption" in str(extra.get("source", "")):
            yield Assumption(
                ".".join(here),
                _as_its_range(field, value) or _written(written[name]),
                field.description or "",
                str(extra["source"]),
                str(extra.get("vary", "")),
            )
        if isinstance(value, BaseModel):
            yield from _of_model(value, here)
        elif isinstance(value, Mapping) and "assumption" not in str(
            extra.get("source", "") if isinstance(extra, Mapping) else ""
        ):
            for key, part in value.items():
                if isinstance(part, BaseModel):
                    yield from _of_model(part, (*here, key))


_UNIT = re.compile(r"\d (%|/?[A-Za-z][A-Za-z0-9/]*)")


def _as_its_range(field: FieldInfo, value: object) -> str:
    """A quantity in the unit in which its range is stated; "" where there is none."""
    extra = field.json_schema_extra
    unit = _UNIT.search(str(extra.get("vary", ""))) if isinstance(extra, Mapping) else None
    for kind in field.metadata:
        if isinstance(kind, Quantity) and isinstance(value, float) and unit is not None:
            size = kind.units.get(unit[1])
            return "" if size is None else f"{value / size:.6g} {unit[1]}"
    return ""


def _written(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_written(part)}" for key, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of_devices(scenario: Scenario) -> Iterator[Assumption]:
    from devices import KINDS, tunables, with_overrides

    for name, kind in with_overrides(KINDS, scenario.devices).items():
        for key, number in tunables(kind).items():
            if "assumption" in number.source:
                yield Assumption(
                    f"devices.{name}.{key}",
                    f"{number.value:.10g}",
                    number.what,
                    number.source,
                    number.vary,
                )
