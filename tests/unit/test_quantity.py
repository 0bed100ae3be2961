"""Quantities: what is read, what is refused and how, and that writing loses nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from twin.quantity import (
    AREA_UNITS,
    CURRENT_UNITS,
    ENERGY_UNITS,
    LENGTH_UNITS,
    RATE_UNITS,
    SHARE_UNITS,
    SPEED_UNITS,
    TIME_UNITS,
    Metres,
    Quantity,
    Rate,
    Seconds,
    Settings,
    Share,
    Speed,
    param,
)

TIME = Quantity("time", TIME_UNITS, "24 h")
ALL = [
    TIME_UNITS, LENGTH_UNITS, SPEED_UNITS, RATE_UNITS, SHARE_UNITS, AREA_UNITS, ENERGY_UNITS,
    CURRENT_UNITS,
]  # fmt: skip


class Example(Settings):
    wait: Seconds = param("24 h", "a time", "assumption", vary="1 h to 24 h")
    radius: Metres = param("8 km", "a length", "5.1.1")
    share: Share = param("97 %", "a share", "4.6")
    rate: Rate = param("0.03 /year", "a rate", "NFPA")
    speed: Speed = param("60 km/h", "a speed", "assumption", vary="30 km/h to 90 km/h")
    count: int = param(2, "a number", "4.4", least=1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("24 h", 86400.0), ("1 d", 86400.0), ("90s", 90.0), (" 1.5  min ", 90.0),
        ("2 week", 1209600.0),
        ("1 year", 365.25 * 86400.0), ("1e3 ms", 1.0), (".5 h", 1800.0), ("3. s", 3.0),
    ],
)  # fmt: skip
def test_times(text: str, seconds: float) -> None:
    assert Example(wait=text).wait == pytest.approx(seconds, rel=1e-15)  # type: ignore[arg-type]


def test_other_dimensions_in_si() -> None:
    other = Example.model_validate(
        {"radius": "0.5 km", "share": "4 %", "rate": "52 /year", "speed": "36 km/h"}
    )
    assert other.radius == 500.0
    assert other.share == pytest.approx(0.04)
    assert other.rate * 365.25 * 86400 == pytest.approx(52.0)
    assert other.speed == pytest.approx(10.0)
    assert Example.model_validate({"share": 0.25}).share == 0.25


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("wait", "24", "number and a unit (ms, s, min, h, d, week, year)"),
        ("wait", 24, 'for example "24 h"'),
        ("wait", "24 km", "not a time"),
        ("wait", "h", "not a time"),
        ("wait", "-1 h", "from 0 "),
        ("wait", True, "not a time"),
        ("wait", None, "not a time"),
        ("wait", "1 h 30 min", "not a time"),
        ("wait", "nan s", "not a time"),
        ("share", "101 %", "from 0 % to 100 %|from 0 to 1"),
        ("share", -0.1, "from 0"),
        ("share", "nan", "not a share"),
        ("speed", "0 km/h", "speed from"),
        ("count", 0, "greater than or equal to 1"),
        ("counts", 1, "Extra inputs"),
    ],
)
def test_what_is_refused_says_what_would_be_right(key: str, value: object, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Example.model_validate({key: value})
    (error,) = caught.value.errors()
    assert error["loc"] == (key,)
    found = str(error["msg"])
    assert says in found or re.search(says, found)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_share_is_a_number(value: float) -> None:
    with pytest.raises(ValidationError):
        Example.model_validate({"share": value})


@pytest.mark.parametrize("text", ["1e999 s", "1e400 h"])
def test_a_time_is_finite(text: str) -> None:
    with pytest.raises(ValidationError):
        Example.model_validate({"wait": text})


@given(st.sampled_from(ALL), st.floats(0, 1e12, allow_subnormal=False))
def test_writing_and_reading_gives_the_same_float(units: dict[str, float], value: float) -> None:
    quantity = Quantity("quantity", units, "-")
    assert quantity.read(quantity.write(value)) == value


@given(st.sampled_from(sorted(TIME_UNITS)), st.integers(0, 10_000))
def test_a_round_number_stays_readable(unit: str, number: int) -> None:
    text = TIME.write(TIME.read(f"{number} {unit}"))
    assert len(text) <= len(f"{number} {unit}")


def test_settings_are_frozen_and_dump_what_they_read() -> None:
    example = Example()
    with pytest.raises(ValidationError):
        example.wait = 3.0
    dumped = example.model_dump(mode="json")
    assert dumped["radius"] == "8 km"
    assert dumped["speed"] == "60 km/h"
    assert Example.model_validate(dumped) == example


def test_schema_accepts_what_the_code_accepts() -> None:
    pattern = Example.model_json_schema()["properties"]["wait"]["pattern"]
    for text in ("24 h", "1.5 min", " 3 s", "1e3 ms", "0.5 year"):
        assert re.search(pattern, text)
        TIME.read(text)
    for text in ("24", "24 km", "h"):
        assert not re.search(pattern, text)


def test_every_setting_names_its_source_and_assumptions_their_range() -> None:
    fields = Example.model_json_schema()["properties"]
    assert fields["wait"]["source"] == "assumption"
    assert fields["wait"]["vary"] == "1 h to 24 h"
    assert fields["radius"]["description"] == "a length"
