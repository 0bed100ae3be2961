"""Rules about devices: the same for one element and for a whole fleet."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest

from twin.alarmcore import device_rules as rules
from twin.alarmcore.settings import AlarmCoreSettings
from twin.terms import Category, Ticket

HOUR, YEAR = 3600.0, 365.25 * 86400.0


def test_deadlines_of_6_5_and_8_1() -> None:
    assert rules.ticket_deadline_s(Ticket.BATTERY) == 24 * HOUR
    assert rules.ticket_deadline_s(Ticket.OFFLINE) == 48 * HOUR
    assert rules.ticket_deadline_s(Ticket.FAULT) == 48 * HOUR
    none = {kind for kind in Ticket if math.isnan(rules.ticket_deadline_s(kind))}
    assert none == {Ticket.CLEANING, Ticket.HAZARD, Ticket.PERIODIC, Ticket.END_OF_LIFE}


def test_due_and_in_time_for_one_and_for_many() -> None:
    received = np.array([0.0, HOUR, 5 * HOUR])
    due = rules.ticket_due(received, Ticket.BATTERY)
    assert due.tolist() == [24 * HOUR, 25 * HOUR, 29 * HOUR]
    done = np.array([24 * HOUR, 25 * HOUR + 1, 6 * HOUR])
    many = rules.in_time(received, done, Ticket.BATTERY)
    assert isinstance(many, np.ndarray)
    assert many.tolist() == [True, False, True]
    one = [
        rules.in_time(float(r), float(d), Ticket.BATTERY)
        for r, d in zip(received, done, strict=True)
    ]
    assert one == many.tolist()
    assert rules.in_time(0.0, 1e9, Ticket.PERIODIC)


def test_availability_is_neither_offline_nor_faulty_nor_disabled() -> None:
    table = list(itertools.product([False, True], repeat=3))
    offline, fault, disabled = np.array(table).T
    many = rules.available(offline, fault, disabled)
    assert many.tolist() == [not any(row) for row in table]
    assert [rules.available(*row) for row in table] == many.tolist()
    assert all(type(rules.available(*row)) is bool for row in table)


def test_online_is_the_absence_of_the_flag() -> None:
    assert rules.counts_as_online(False) is True
    assert rules.counts_as_online(True) is False
    assert rules.counts_as_online(np.array([True, False])).tolist() == [False, True]


def test_cleaning_and_end_of_life() -> None:
    since = np.array([0.0, 1.99, 2.0]) * YEAR
    due = rules.needs_cleaning(since)
    assert isinstance(due, np.ndarray)
    assert due.tolist() == [False, False, True]
    assert rules.end_of_life(5 * YEAR, Category.GAS)
    assert not rules.end_of_life(5 * YEAR, Category.FIRE)
    assert rules.end_of_life(12 * YEAR, Category.FIRE)


def test_settings_give_the_lifecycle_its_rules() -> None:
    assert AlarmCoreSettings().rules() == (60.0, 900.0, 0)
    chosen = AlarmCoreSettings.model_validate({"notify": "30 s", "disable_after": 3})
    assert chosen.rules() == (30.0, 900.0, 3)
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
