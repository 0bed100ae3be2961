"""The fast model and the plain SimPy reference, fed with the same luck, write the same log.

The trace holds what both are fed: happenings, the fate of every event's telegram, outages, lost
heartbeats, the roster's plan and the luck of the responses. Flags, pushes, pulls, tickets, trips,
spares, alarms, deadlines and people are worked out twice: with arrays and a lazy backlog in the
twin, event by event in :mod:`benchmarks.reference`.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no installed package

from benchmarks.compare import Row, counts, differences, rows_of
from benchmarks.reference import run_reference
from benchmarks.trace import job_of, trace_of
from twin.kpi import compute, tables
from twin.log import Log
from twin.scenario import Scenario, load_scenario
from twin.terms import Kind, View
from twin.world.center_year import run_center

NOT_COMPARED = {
    # Registry, site and what is drawn after the run: no model has a hand in them.
    Kind.PERIOD_START, Kind.PERIOD_END, Kind.VENUE, Kind.DEVICE, Kind.PERSON, Kind.CHECKLIST,
    Kind.EDGE_POINT, Kind.EDGE_TIME, Kind.EDGE_DISTANCE, Kind.VENUE_TIME, Kind.HAZARD_BEARING,
    Kind.HAZARD_DISTANCE, Kind.WIND, Kind.TRAINED, Kind.COMPLAINT, Kind.RENEWAL,
}  # fmt: skip

VENUE_KINDS = (
    "nine_small", "combined_use", "group_rental", "older_person_home", "enterprise",
    "local_alarm_unit",
)  # fmt: skip

BUSY = {
    "venues.points": 500,
    "duration": "21 d",
    "venues.responsible": 3,
    "venues.fires": dict.fromkeys(VENUE_KINDS, "8 /year"),
    "vendors": {
        "one": {"share": "60 %", "heartbeat": "2 h", "push_loss": "10 %", "outages": "20 /year"},
        "two": {"share": "40 %", "heartbeat": "1 h", "push_loss": "3 %", "pull_period": "1 h"},
    },
    "centers.center.roster.absence": "8 %",
    "centers.center.maintenance.patience": "1 h",
    "centers.center.spares.share": "2 %",
    "centers.center.spares.lead_time": "5 d",
}
DETECTOR = {"nuisance_factor": 300, "fault_per_year": 0.9, "heals_share": 0.0}
BROKEN = {**DETECTOR, "radio_per_year": 0.5, "coverage_loss_per_year": 6.0}
SOUND = {**DETECTOR, "radio_per_year": 0.0, "coverage_loss_per_year": 0.0}

FAILURES = {
    **BUSY,
    "network.nbiot.cell_outages": "0 /year",
    "network.power.cuts": "0 /year",
    "network.uplink.outages": "0 /year",
    "devices": {"smoke_alarm": BROKEN, "gas_detector": BROKEN},
}
"""Devices fail all the time, what is around them never does."""

SURROUNDINGS = {
    **BUSY,
    "network.nbiot.cell_outages": "30 /year",
    "network.nbiot.points_per_cell": 100,
    "network.power.cuts": "30 /year",
    "network.power.points_per_feeder": 100,
    "network.uplink.outages": "20 /year",
    "devices": {"smoke_alarm": SOUND, "gas_detector": SOUND},
}
"""Cells, feeders, uplinks and vendors fail all the time, radios of devices never do."""

FAILS = {"fault_per_year": 0.97, "reported_share": 0.5}
EVERYTHING = {
    **SURROUNDINGS,
    "venues.mix": {"enterprise": "60 %", "nine_small": "40 %"},
    "network.nbiot.cell_outages": "12 /year",
    "network.nbiot.delivery.ecl1": "97 %",
    "network.nbiot.delivery.ecl2": "94 %",
    "network.power.cuts": "15 /year",
    "devices": {
        "smoke_alarm": BROKEN,
        "gas_detector": BROKEN,
        "arcing_fault_detector": {**FAILS, "nuisance_factor": 300},
        "residual_current_detector": FAILS,
        "electrical_fire_host": {
            **FAILS,
            "reported_share": 0.3,
            "radio_per_year": 0.9,
            "coverage_loss_per_year": 40.0,
            "heals_share": 0.7,
        },
    },
}
"""All of it at once, many devices on RS485, and radios that lose up to one heartbeat in twenty."""

TOWNSHIP = {"venues.points": 700, "duration": "30 d", "vendors.vendor.heartbeat": "1 h"}
"""The shipped township as it is, with hourly heartbeats and fewer points."""


def scenario(changes: dict[str, Any], seed: int) -> Scenario:
    return load_scenario("township").changed(**{**changes, "seed": seed})


CASES = {
    "failures-2": (FAILURES, 2),
    "surroundings-3": (SURROUNDINGS, 3),
    "surroundings-5": (SURROUNDINGS, 5),
    "everything-1": (EVERYTHING, 1),
    "everything-3": (EVERYTHING, 3),
    "township-1": (TOWNSHIP, 1),
}


@cache
def both(case: str) -> tuple[list[Row], list[Row]]:
    """The rows of the fast model and of the reference."""
    changes, seed = CASES[case]
    job = job_of(scenario(changes, seed))
    trace = trace_of(job)
    # Alarms by dirt that a cleaning prevents: the twin asks only when a telegram arrives, so that
    # one that would have got lost anyway leaves its rows there.
    unsure = {s.number for d in trace.devices for s in d.signals if s.lost and s.dirt > 0.0}
    kinds = set(Kind) - NOT_COMPARED

    def compared(rows: list[Row]) -> list[Row]:
        sounding = (Kind.SIGNAL, Kind.MESSAGE_LOST)
        return [r for r in rows if r[2] not in sounding or r[4] not in unsure]

    fast = compared(rows_of(run_center(*job).log, kinds))
    return fast, compared(rows_of(run_reference(trace).log, kinds))


@pytest.mark.parametrize("case", CASES)
def test_the_logs_agree_row_by_row(case: str) -> None:
    fast, reference = both(case)
    only_fast, only_reference = differences(fast, reference)
    assert sorted(only_fast)[:5] == []
    assert sorted(only_reference)[:5] == []


def test_the_comparison_covers_what_people_and_devices_do() -> None:
    fast, _ = both("surroundings-3")
    more, _ = both("failures-2")
    number = counts(fast) + counts(more)
    enough = {
        (Kind.FIRE_ALARM, View.PLATFORM): 500,
        (Kind.NOTIFIED, View.PLATFORM): 1000,
        (Kind.RESPONDED, View.PLATFORM): 500,
        (Kind.REOPENED, View.PLATFORM): 100,
        (Kind.DISPATCHED, View.PLATFORM): 50,
        (Kind.ON_SCENE, View.PLATFORM): 100,
        (Kind.EMERGENCY_CALL, View.PLATFORM): 30,
        (Kind.REPORT_FILED, View.PLATFORM): 30,
        (Kind.DEADLINE_MISSED, View.PLATFORM): 100,
        (Kind.DISABLED, View.PLATFORM): 20,
        (Kind.LOW_BATTERY, View.PLATFORM): 3,
        (Kind.SPARE_USED, View.PLATFORM): 40,
        (Kind.SPARE_MISSING, View.PLATFORM): 20,
        (Kind.TICKET_CLOSED, View.PLATFORM): 250,
        (Kind.FAULT, View.PLATFORM): 20,
        (Kind.VENDOR_DOWN, View.TRUTH): 1,
        (Kind.CELL_DOWN, View.TRUTH): 3,
    } | {(Kind.OFFLINE, view): 200 for view in View}
    assert {key: number[key] for key, least in enough.items() if number[key] < least} == {}


def test_the_comparison_covers_what_happens_on_a_bus() -> None:
    fast, _ = both("everything-1")
    texts = Counter((row[2], row[7]) for row in fast)
    # From truly offline to the vendor's flag within two minutes: only a host is as fast as that.
    truly = [(row[1], row[0]) for row in fast if row[2:4] == (Kind.OFFLINE, View.TRUTH)]
    flagged = [(row[1], row[0]) for row in fast if row[2:4] == (Kind.OFFLINE, View.VENDOR)]
    by_host = [
        (d, t) for d, t in flagged for who, since in truly if who == d and 0 < t - since < 120e6
    ]
    assert len(by_host) > 50
    assert texts[Kind.OFFLINE, "gateway offline"] > 50
    assert texts[Kind.TICKET_FINDING, "gateway offline"] > 20
    assert texts[Kind.TICKET_FINDING, "power cut"] > 50


def test_nobody_gets_a_second_ticket_for_a_flag_that_lasts() -> None:
    # A flag is one ticket; only a fault of the device's own, found later, is another one.
    fast, _ = both("everything-1")
    surroundings = ("cell outage", "power cut", "uplink outage", "gateway offline")
    flags = {(row[1], row[0]) for row in fast if row[2:4] == (Kind.OFFLINE, View.PLATFORM)}
    triage = round(1e6 * scenario(EVERYTHING, 1).centers["center"].maintenance.triage)
    found = [
        (row[1], row[0] - triage)
        for row in fast
        if row[2] == Kind.TICKET_FINDING and row[7] in surroundings
    ]
    assert len(found) > 100
    assert [(d, t) for d, t in found if not {(d, t - 1), (d, t), (d, t + 1)} & flags] == []


def test_a_difference_is_seen() -> None:
    fast, reference = both("township-1")
    late = list(fast)
    late[7] = (late[7][0] + 2, *late[7][1:])
    assert differences(late, reference) == ([late[7]], [fast[7]])
    assert differences(fast[1:], reference) == ([], [fast[0]])


# -- each with luck of its own --------------------------------------------------------------------

REPLICATIONS = 20
CHANCE = 1e-4
"""Of a difference as large as the limit where there is none, for one figure of some 130."""

OWN = {
    "venues.points": 400,
    "duration": "30 d",
    "venues.fires": dict.fromkeys(VENUE_KINDS, "4 /year"),
    "vendors.vendor.heartbeat": "4 h",
    "vendors.vendor.push_loss": "2 %",
    "network.nbiot.delivery.ecl2": "80 %",
    "network.nbiot.points_per_cell": 100,
    "network.power.points_per_feeder": 50,
    "devices": {
        "smoke_alarm": {
            "nuisance_factor": 50,
            "fault_per_year": 0.3,
            "radio_per_year": 0.2,
            "coverage_loss_per_year": 1.0,
        },
        "gas_detector": {"nuisance_factor": 50},
    },
}


def figures(log: Log) -> dict[str, float]:
    """Every figure of the year and of the tickets by name."""
    found = tables(compute(log))
    values = {str(row["name"]): float(row["value"]) for row in found["year"]}
    for row in found["tickets"]:
        for name in ("opened", "closed", "late", "pending", "without_finding", "median_h", "p90_h"):
            values[f"{row['kind']} {name}"] = float(row[name])
    return values


def far_apart(one: list[dict[str, float]], other: list[dict[str, float]]) -> dict[str, float]:
    """Figures whose means differ by more than chance explains (Welch), and their t."""
    from scipy.stats import t as student

    limit = float(student.ppf(1.0 - CHANCE / 2.0, 2 * REPLICATIONS - 2))
    far = {}
    for name in set().union(*one, *other):
        columns = [np.array([run.get(name, 0.0) for run in runs]) for runs in (one, other)]
        a, b = (column[np.isfinite(column)] for column in columns)
        if min(len(a), len(b)) < 3:
            continue
        error = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        apart = abs(a.mean() - b.mean())
        if apart > limit * error:
            far[name] = float(apart / error) if error > 0.0 else np.inf
    return far


def test_every_figure_agrees_where_each_model_draws_its_own() -> None:
    # Heartbeats, pushes, the luck of the responses are drawn by the standard library's generator
    # in the reference; happenings and outages by the same samplers with other seeds.
    start, *place = job_of(scenario(OWN, 1))
    job = (start, *place)
    fast = [
        figures(run_center(start.changed(seed=100 + k), *place).log) for k in range(REPLICATIONS)
    ]
    reference = [figures(run_reference(trace_of(job, own=k)).log) for k in range(REPLICATIONS)]
    assert len(fast[0]) > 100
    assert far_apart(fast, reference) == {}
    # A difference of 15 % in when people respond is seen.
    slower = [{**run, "response_median": 1.15 * run["response_median"]} for run in reference]
    assert set(far_apart(fast, slower)) == {"response_median"}
