"""Deadlines of tickets, and the alarm core's settings."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from twin.alarmcore import device_rules as rules
from twin.alarmcore.settings import AlarmCoreSettings
from twin.terms import Ticket

HOUR = 3600.0


def test_deadlines_of_6_5_and_8_1() -> None:
    assert rules.ticket_deadline_s(Ticket.BATTERY) == 24 * HOUR
    assert rules.ticket_deadline_s(Ticket.OFFLINE) == 48 * HOUR
    assert rules.ticket_deadline_s(Ticket.FAULT) == 48 * HOUR
    none = {kind for kind in Ticket if math.isnan(rules.ticket_deadline_s(kind))}
    assert none == {Ticket.CLEANING, Ticket.HAZARD, Ticket.PERIODIC, Ticket.END_OF_LIFE}


def test_settings_give_the_lifecycle_its_rules() -> None:
    assert AlarmCoreSettings().rules().disable_after == 0
    chosen = AlarmCoreSettings.model_validate({"disable_after": 3})
    assert chosen.rules().disable_after == 3
    with pytest.raises(ValueError, match="disable_after"):
        AlarmCoreSettings.model_validate({"disable_after": -1})


def test_the_pure_part_needs_no_simulation_and_no_numpy() -> None:
    code = (
        "import sys, twin.alarmcore.lifecycle, twin.alarmcore.device_rules\n"
        "print(*{m.split('.')[0] for m in sys.modules})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "twin" in loaded
    assert {"numpy", "simpy", "devices", "pyarrow", "pydantic"}.isdisjoint(loaded)
