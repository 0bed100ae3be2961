"""A small township's hard weeks: what holds in the log of every run, whatever happens.

The scenario has far more alarms, failures and outages than any real place, so that every path is
taken many times and often at once.
"""

from __future__ import annotations

import gc
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simpy
from conftest import Row, rows_of

from twin.log import MICROSECONDS, Log, write_log
from twin.scenario import Scenario, load_scenario
from twin.terms import Kind, Role, Ticket, View
from twin.world import simulate

DAYS = 40
DAY_US = 86400 * MICROSECONDS

HARD = {
    "venues.points": 600,
    "duration": f"{DAYS} d",
    "venues.responsible": 3,
    "venues.fires": dict.fromkeys(
        ("nine_small", "combined_use", "group_rental", "older_person_home", "enterprise",
         "local_alarm_unit"), "8 /year"
    ),
    "network.nbiot.cell_outages": "30 /year",
    "network.nbiot.points_per_cell": 100,
    "network.power.cuts": "30 /year",
    "network.power.points_per_feeder": 100,
    "network.uplink.outages": "20 /year",
    "network.nbiot.delivery.ecl2": "70 %",
    "vendors": {
        "one": {"share": "60 %", "heartbeat": "2 h", "push_loss": "10 %", "outages": "20 /year"},
        "two": {"share": "40 %", "heartbeat": "1 h", "push_loss": "3 %", "pull_period": "1 h"},
    },
    "centers.center.roster.absence": "8 %",
    "centers.center.maintenance.patience": "1 h",
    "centers.center.spares.share": "2 %",
    "centers.center.spares.lead_time": "5 d",
}  # fmt: skip

DETECTOR = {
    "nuisance_factor": 300,
    "fault_per_year": 0.9,
    "radio_per_year": 0.5,
    "coverage_loss_per_year": 12.0,
    "heals_share": 0.7,
}


def hard(**changes: Any) -> Scenario:
    """The hard scenario, with changes."""
    devices = {"smoke_alarm": DETECTOR, "gas_detector": DETECTOR}
    return load_scenario("township").changed(**{**HARD, "devices": devices, **changes})


def run(scenario: Scenario, processes: int = 1) -> Log:
    return simulate(scenario, processes=processes).log


@pytest.fixture(scope="module")
def log() -> Log:
    return run(hard())


@pytest.fixture(scope="module")
def rows(log: Log) -> list[Row]:
    return rows_of(log)


def of(rows: Iterable[Row], *kinds: Kind, view: View | None = None) -> list[Row]:
    return [r for r in rows if r.kind in kinds and (view is None or r.view is view)]


def spans(rows: list[Row], begin: Kind, end: Kind, view: View) -> dict[str, list[list[float]]]:
    """From begin to end by subject; a span that lasts has an infinite end."""
    found: dict[str, list[list[float]]] = defaultdict(list)
    for row in of(rows, begin, end, view=view):
        if row.kind is begin:
            found[row.subject].append([row.time, float("inf")])
        else:
            found[row.subject][-1][1] = row.time
    return found


def alternate(rows: list[Row], begin: Kind, end: Kind, key: Callable[[Row], Any]) -> list[Row]:
    """The rows at which a begin follows a begin, or an end does not follow a begin."""
    open_: set[Any] = set()
    wrong = []
    for row in of(rows, begin, end):
        if (row.kind is begin) is (key(row) in open_):
            wrong.append(row)
        open_ ^= {key(row)}
    return wrong


# -- the log as a whole ---------------------------------------------------------------------------


def test_the_weeks_are_hard_enough(rows: list[Row]) -> None:
    number = Counter((r.kind, r.view) for r in rows)
    enough = {
        (Kind.FIRE_ALARM, View.PLATFORM): 300,
        (Kind.MESSAGE_LOST, View.TRUTH): 20,
        (Kind.REOPENED, View.PLATFORM): 5,
        (Kind.DISPATCHED, View.PLATFORM): 30,
        (Kind.EMERGENCY_CALL, View.PLATFORM): 10,
        (Kind.FIRE_MISSED, View.TRUTH): 1,
        (Kind.SPARE_MISSING, View.PLATFORM): 5,
        (Kind.TICKET_CLOSED, View.PLATFORM): 200,
        (Kind.FAULT, View.TRUTH): 20,
        (Kind.DISABLED, View.PLATFORM): 2,
    } | {(Kind.OFFLINE, view): 100 for view in View}
    assert {key: number[key] for key, least in enough.items() if number[key] < least} == {}


def test_every_row_lies_within_the_period(rows: list[Row]) -> None:
    start, end = of(rows, Kind.PERIOD_START)[0].time, of(rows, Kind.PERIOD_END)[0].time
    assert end - start == DAYS * DAY_US
    assert [r for r in rows if not start <= r.time <= end] == []


# -- messages and alarms --------------------------------------------------------------------------


def test_every_message_is_accounted_for(rows: list[Row]) -> None:
    signals = {r.message: r for r in of(rows, Kind.SIGNAL)}
    received = {r.message: r for r in of(rows, Kind.FIRE_ALARM)}
    lost = {r.message: r for r in of(rows, Kind.MESSAGE_LOST)}
    for found, kinds in ((signals, (Kind.SIGNAL,)), (received, (Kind.FIRE_ALARM,)),
                         (lost, (Kind.MESSAGE_LOST,))):  # fmt: skip
        assert len(found) == len(of(rows, *kinds)), "a message id is used twice"
    assert received.keys() <= signals.keys()
    assert lost.keys() <= signals.keys()
    assert received.keys() & lost.keys() == set()
    for message, row in (received | lost).items():
        assert row.subject == signals[message].subject
        assert row.time >= signals[message].time
    # What is neither is under way at the end, held up by outages of cell, uplink or vendor.
    end = of(rows, Kind.PERIOD_END)[0].time
    held = [spans(rows, *kinds, View.TRUTH) for kinds in (
        (Kind.CELL_DOWN, Kind.CELL_UP), (Kind.VENDOR_DOWN, Kind.VENDOR_UP),
        (Kind.OFFLINE, Kind.ONLINE),
    )]  # fmt: skip
    lasting = [s[-1][0] for h in held for s in h.values() if s[-1][1] == float("inf")]
    for message in signals.keys() - received.keys() - lost.keys():
        assert signals[message].time > end - 600 * MICROSECONDS or lasting


def test_a_dead_device_gives_no_signal(rows: list[Row]) -> None:
    dead = spans(rows, Kind.FAULT, Kind.FAULT_CLEARED, View.TRUTH)
    assert [
        r for r in of(rows, Kind.SIGNAL)
        if any(start <= r.time < end for start, end in dead.get(r.subject, ()))
    ] == []  # fmt: skip


def test_no_message_arrives_while_its_device_is_cut_off_for_good(rows: list[Row]) -> None:
    lost = {r.message: r for r in of(rows, Kind.MESSAGE_LOST) if r.text == "offline"}
    offline = spans(rows, Kind.OFFLINE, Kind.ONLINE, View.TRUTH)
    assert lost
    for row in lost.values():
        assert any(start <= row.time < end for start, end in offline[row.subject])


def test_every_alarm_is_closed_once_or_still_open_at_the_end(rows: list[Row]) -> None:
    raised: dict[int, int] = {}
    for row in of(rows, Kind.FIRE_ALARM):
        raised.setdefault(row.alarm, row.time)
    closed = Counter(r.alarm for r in of(rows, Kind.CLOSED))
    assert closed.keys() <= raised.keys()
    assert set(closed.values()) == {1}
    end = of(rows, Kind.PERIOD_END)[0].time
    # Nothing keeps an alarm open for half a day: not even a fire, its report and two other calls.
    assert [a for a in raised.keys() - closed.keys() if raised[a] < end - DAY_US // 2] == []


def test_every_closed_alarm_has_its_chain(rows: list[Row]) -> None:
    chain: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        if row.alarm:
            chain[row.alarm].append(row)
    for steps in chain.values():
        kinds = [r.kind for r in steps]
        if Kind.CLOSED not in kinds:
            continue
        order = [kinds.index(k) for k in (
            Kind.FIRE_ALARM, Kind.RESPONDED, Kind.VERIFIED, Kind.ANNOTATED, Kind.CLOSED
        )]  # fmt: skip
        assert order == sorted(order)
        if Kind.FIRE_CONFIRMED in kinds:
            for kind in (Kind.PLAN_STARTED, Kind.EMERGENCY_CALL, Kind.REPORT_FILED):
                assert kind in kinds
            assert kinds.count(Kind.EMERGENCY_CALL) == 1, steps
        sent = Counter(r.subject for r in steps if r.kind is Kind.DISPATCHED)
        ended = Counter(
            r.subject for r in steps
            if r.kind is Kind.STOOD_DOWN or (r.kind is Kind.ON_SCENE and r.text == "center")
        )  # fmt: skip
        assert sent == ended, steps


def test_a_person_is_at_one_scene_at_a_time(rows: list[Row]) -> None:
    busy: dict[str, int] = {}
    for row in of(rows, Kind.DISPATCHED, Kind.ON_SCENE):
        if row.subject == "next-available" or (row.kind is Kind.ON_SCENE and row.text != "center"):
            continue
        if row.kind is Kind.DISPATCHED:
            assert row.subject not in busy, row
            busy[row.subject] = row.alarm
        else:
            assert busy.pop(row.subject) == row.alarm


# -- devices --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        (Kind.OFFLINE, Kind.ONLINE),
        (Kind.FAULT, Kind.FAULT_CLEARED),
        (Kind.DISABLED, Kind.ENABLED),
        (Kind.CELL_DOWN, Kind.CELL_UP),
        (Kind.POWER_CUT, Kind.POWER_BACK),
        (Kind.VENDOR_DOWN, Kind.VENDOR_UP),
    ],
)
def test_states_begin_and_end_in_turn(rows: list[Row], begin: Kind, end: Kind) -> None:
    assert alternate(rows, begin, end, lambda r: (r.subject, r.view)) == []


def test_states_begin_and_end_in_turn_where_only_pulls_bring_them() -> None:
    # Flags that end and begin between two pulls: the platform never sees the gap.
    vendors = {"one": {"heartbeat": "1 h", "push_loss": "90 %", "pull_period": "24 h"}}
    rows = rows_of(run(hard(vendors=vendors)))
    assert alternate(rows, Kind.OFFLINE, Kind.ONLINE, lambda r: (r.subject, r.view)) == []


def test_what_a_device_reports_becomes_known_only_while_it_can_report(rows: list[Row]) -> None:
    offline = spans(rows, Kind.OFFLINE, Kind.ONLINE, View.TRUTH)
    reports = of(rows, Kind.FAULT, Kind.LOW_BATTERY, view=View.PLATFORM)
    assert {r.kind for r in reports} == {Kind.FAULT, Kind.LOW_BATTERY}
    assert [
        r for r in reports
        if any(start < r.time < end for start, end in offline.get(r.subject, ()))
    ] == []  # fmt: skip


def test_tickets_open_and_close_in_turn(rows: list[Row]) -> None:
    wrong = alternate(rows, Kind.TICKET_OPENED, Kind.TICKET_CLOSED, lambda r: (r.subject, r.text))
    assert wrong == []


def test_what_came_back_by_itself_is_recorded_when_somebody_looks(rows: list[Row]) -> None:
    at_work: set[str] = set()
    back: set[str] = set()
    late = 0
    for row in rows:
        if row.kind is Kind.ON_DUTY and row.text == Role.MAINTENANCE:
            at_work.add(row.subject)
        elif row.kind is Kind.OFF_DUTY:
            at_work.discard(row.subject)
        elif row.kind is Kind.TICKET_CLOSED and row.text == Ticket.OFFLINE:
            back.add(row.subject)
        elif row.kind is Kind.TICKET_FINDING and row.text == "back by itself":
            assert at_work, row
            assert row.subject in back, row
            late += 1
    assert late > 3


def test_nobody_records_what_came_back_where_nobody_maintains() -> None:
    alone = hard(**{"centers.center.roster.maintenance": 0})
    texts = [r.text for r in of(rows_of(run(alone)), Kind.TICKET_FINDING)]
    assert "back by itself" not in texts
    assert texts  # what the screen shows is recorded all the same


def test_spares_come_as_ordered_and_are_missing_only_meanwhile(rows: list[Row]) -> None:
    ordered: dict[str, Row] = {}
    for row in of(rows, Kind.SPARE_USED, Kind.SPARE_ORDERED, Kind.SPARE_RECEIVED,
                  Kind.SPARE_MISSING):  # fmt: skip
        if row.kind is Kind.SPARE_USED:
            assert row.value >= 0
        elif row.kind is Kind.SPARE_MISSING:
            assert row.text in ordered, row
        elif row.kind is Kind.SPARE_ORDERED:
            assert row.subject not in ordered
            assert row.value >= 1
            ordered[row.subject] = row
        else:
            order = ordered.pop(row.subject)
            assert row.value == order.value
            assert row.time == order.time + 5 * DAY_US


# -- people ---------------------------------------------------------------------------------------


def test_people_come_and_go_in_turn(rows: list[Row]) -> None:
    assert alternate(rows, Kind.ON_DUTY, Kind.OFF_DUTY, lambda r: r.subject) == []


def test_the_desk_never_holds_fewer_than_nobody(rows: list[Row]) -> None:
    at_desk: set[str] = set()
    resting: set[str] = set()
    for row in of(rows, Kind.ON_DUTY, Kind.OFF_DUTY, Kind.LEFT_DESK, Kind.BACK_AT_DESK):
        if row.kind is Kind.ON_DUTY and row.text == Role.DUTY:
            at_desk.add(row.subject)
        elif row.kind is Kind.LEFT_DESK:
            assert row.subject in at_desk | resting, row  # an order may end a break
            at_desk.discard(row.subject)
            resting.discard(row.subject)
            if row.text == "break":
                resting.add(row.subject)
        elif row.kind is Kind.BACK_AT_DESK:
            assert row.subject not in at_desk, row
            at_desk.add(row.subject)
        elif row.kind is Kind.OFF_DUTY:
            at_desk.discard(row.subject)


def test_somebody_stays_at_the_desk_when_the_policy_says_so() -> None:
    # Everybody is in one team and never absent, so that nobody leaves but by order or break.
    rows = rows_of(
        run(hard(**{
            "centers.center.roster": {"pattern": "24h_on", "teams": 1, "duty": 2, "absence": "0 %"},
            "duration": "10 d",
        }))
    )  # fmt: skip
    at_desk: set[str] = set()
    for row in of(rows, Kind.ON_DUTY, Kind.LEFT_DESK, Kind.BACK_AT_DESK):
        if row.kind is Kind.LEFT_DESK:
            at_desk.discard(row.subject)
            assert at_desk, row
        elif row.kind is Kind.BACK_AT_DESK or row.text == Role.DUTY:
            at_desk.add(row.subject)
    assert of(rows, Kind.LEFT_DESK)


def test_operators_are_on_duty_when_they_respond(rows: list[Row]) -> None:
    on_duty: set[str] = set()
    for row in of(rows, Kind.ON_DUTY, Kind.OFF_DUTY, Kind.RESPONDED, Kind.VERIFIED):
        if row.kind is Kind.ON_DUTY:
            on_duty.add(row.subject)
        elif row.kind is Kind.OFF_DUTY:
            on_duty.remove(row.subject)
        else:
            assert row.subject in on_duty, row


# -- the same luck --------------------------------------------------------------------------------


def file_of(log: Log, path: Path) -> bytes:
    write_log(log, path)
    return path.read_bytes()


def test_same_seed_same_bytes_other_seed_others(log: Log, tmp_path: Path) -> None:
    first = file_of(log, tmp_path / "first.parquet")
    assert file_of(run(hard()), tmp_path / "again.parquet") == first
    assert file_of(run(hard(seed=2)), tmp_path / "other.parquet") != first


def test_one_process_or_two_give_the_same_bytes(tmp_path: Path) -> None:
    from twin.roads.load import load_roads
    from twin.roads.settings import RoadSettings

    network = load_roads(RoadSettings())
    x, y = float(np.mean(network.x)), float(np.mean(network.y))
    centers = {}
    for name, dx in (("east", 2500.0), ("west", -2500.0)):
        node, _ = network.nearest(x + dx, y)
        lon, lat = network.unproject(network.x[node], network.y[node])
        centers[name] = {"lon": float(lon), "lat": float(lat)}
    scenario = hard(centers=centers, duration="10 d")
    one = file_of(run(scenario, 1), tmp_path / "one.parquet")
    assert file_of(run(scenario, 2), tmp_path / "two.parquet") == one


# Everything in the surroundings and in the devices that no repair can change.
UNTOUCHED = (
    Kind.FIRE, Kind.CELL_DOWN, Kind.CELL_UP, Kind.POWER_CUT, Kind.POWER_BACK, Kind.ABSENT,
)  # fmt: skip


def smoke_signals(rows: list[Row]) -> set[tuple[str, int, str]]:
    return {
        (r.subject, r.time, r.text) for r in of(rows, Kind.SIGNAL) if "/smoke_alarm-" in r.subject
    }


def unexplained(rows: list[Row], others: list[Row]) -> list[tuple[str, int, str]]:
    """Signals of smoke alarms of one run that another one lacks, without a reason.

    Reasons are that the device is dead there, or has been put in order (which cleans it) before.
    """
    down = spans(others, Kind.FAULT, Kind.FAULT_CLEARED, View.TRUTH)
    visited: dict[str, int] = {}
    for row in of(others, Kind.TICKET_CLOSED):
        visited.setdefault(row.subject, row.time)
    return [
        s for s in smoke_signals(rows) - smoke_signals(others)
        if not any(start <= s[1] < end for start, end in down.get(s[0], ()))
        and visited.get(s[0], s[1]) >= s[1]
    ]  # fmt: skip


def plain(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [
        (r.time, r.subject, r.kind, r.text) for r in of(rows, *UNTOUCHED)
        if r.subject != "maintenance-3"  # comes on top in one of the changes
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"devices": {"smoke_alarm": DETECTOR,
                     "gas_detector": DETECTOR | {"nuisance_factor": 1000}}},
        {"devices": {"smoke_alarm": DETECTOR, "gas_detector": DETECTOR,
                     "water_level_sensor": {"low_level_per_year": 50.0}}},
        {"vendors": {"one": {"share": "30 %"}, "three": {"share": "70 %", "heartbeat": "6 h"}}},
        {"network.uplink.outages": "2 /year"},
        {"centers.center.roster.maintenance": 3},
        {"centers.center.vehicles.vans": 1},
        {"centers.center.response.call": "90 s"},
        {"centers.center.complaints": 50.0},
    ],
    ids=["nuisance", "kind", "vendor", "uplink", "people", "vans", "call", "complaints"],
)  # fmt: skip
def test_what_a_change_does_not_touch_keeps_its_luck(
    rows: list[Row], changes: dict[str, Any]
) -> None:
    changed = rows_of(run(hard(**changes)))
    assert plain(changed) == plain(rows)
    assert unexplained(changed, rows) == []
    assert unexplained(rows, changed) == []
    one, other = smoke_signals(rows), smoke_signals(changed)
    assert len(one & other) > 200
    assert len(one ^ other) < 0.1 * len(one)


def test_cleaning_prevents_nothing_where_dirt_causes_nothing() -> None:
    detector = DETECTOR | {"contamination_gain": 0.0}
    devices = {"smoke_alarm": detector, "gas_detector": detector}
    few, many = (
        rows_of(run(hard(**{"devices": devices, "centers.center.roster.maintenance": people})))
        for people in (0, 6)
    )
    down = spans(many, Kind.FAULT, Kind.FAULT_CLEARED, View.TRUTH)
    assert [
        s for s in smoke_signals(few) - smoke_signals(many)
        if not any(start <= s[1] < end for start, end in down.get(s[0], ()))
    ] == []  # fmt: skip


def test_a_longer_run_begins_like_a_shorter_one(rows: list[Row]) -> None:
    start = rows[0].time
    until = start + 10 * DAY_US - 1
    known = (Kind.PERIOD_START, Kind.PERIOD_END, Kind.ABSENT)

    def beginning(rows: list[Row]) -> list[tuple[Any, ...]]:
        return sorted(
            (r.time, r.kind, r.view, r.subject, r.text) for r in rows
            if r.time < until and r.kind not in known
        )  # fmt: skip

    assert beginning(rows_of(run(hard(duration="10 d")))) == beginning(rows)


# -- the order of events --------------------------------------------------------------------------


class Happening:
    """An event of the kernel below; as SimPy's, as far as the center uses it."""

    def __init__(self, env: Kernel) -> None:
        self.env, self.value, self.triggered = env, None, False
        self.callbacks: list[Callable[[Any], None]] | None = []

    def succeed(self, value: Any = None) -> Happening:
        self.value, self.triggered = value, True
        self.env.push(0.0, 1, self)
        return self


class Running(Happening):
    """A process: a generator that is resumed by what it waits for."""

    def __init__(self, env: Kernel, generator: Generator[Any, Any, Any]) -> None:
        super().__init__(env)
        self.generator, self.target = generator, Happening(env)
        self.target.callbacks = [self.resume]
        env.push(0.0, 0, self.target)

    @property
    def is_alive(self) -> bool:
        return not self.triggered

    def resume(self, event: Happening, error: Exception | None = None) -> None:
        before, self.env.active_process = self.env.active_process, self
        try:
            while True:
                send = self.generator.send
                event = send(event.value) if error is None else self.generator.throw(error)
                error, self.target = None, event
                if event.callbacks is not None:
                    event.callbacks.append(self.resume)
                    break
        except StopIteration as end:
            self.succeed(end.value)
        finally:
            self.env.active_process = before

    def interrupt(self, cause: Any = None) -> None:
        def strike(event: Happening) -> None:
            if not self.triggered:
                if self.target.callbacks is not None:
                    self.target.callbacks.remove(self.resume)
                self.resume(event, simpy.Interrupt(cause))

        blow = Happening(self.env)
        blow.callbacks = [strike]
        self.env.push(0.0, 0, blow)


class Kernel:
    """Events in the order of time, urgency and number: all that the center needs of SimPy."""

    def __init__(self) -> None:
        self.now = 0.0
        self.active_process: Running | None = None
        self.heap: list[tuple[float, int, int, Happening]] = []
        self._eid = count()

    def push(self, delay: float, urgency: int, event: Happening) -> None:
        heapq.heappush(self.heap, (self.now + delay, urgency, next(self._eid), event))

    def event(self) -> Happening:
        return Happening(self)

    def timeout(self, delay: float, value: Any = None) -> Happening:
        event = Happening(self)
        event.value, event.triggered = value, True
        self.push(delay, 1, event)
        return event

    def process(self, generator: Generator[Any, Any, Any]) -> Running:
        return Running(self, generator)

    def run(self, until: float) -> None:
        while self.heap and self.heap[0][0] < until:
            self.now, _, _, event = heapq.heappop(self.heap)
            callbacks, event.callbacks = event.callbacks, None
            for callback in callbacks or ():
                callback(event)
        self.now = until


def test_another_kernel_gives_the_same_log(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels: list[Kernel] = []

    def environment() -> Kernel:
        kernels.append(Kernel())
        return kernels[-1]

    monkeypatch.setattr(simpy, "Environment", environment)
    other = run(hard())
    assert len(kernels) == 1, "the world does not take its environment from simpy.Environment"
    assert file_of(other, tmp_path / "kernel.parquet") == file_of(log, tmp_path / "simpy.parquet")


def test_a_run_leaves_next_to_nothing_to_the_garbage_collector() -> None:
    scenario = load_scenario("township").changed(**{"duration": "20 d", "venues.points": 2000})
    simulate(scenario)  # the roads are drawn in the first run of a process
    gc.collect()
    gc.disable()
    try:
        simulate(scenario)
        assert not gc.isenabled()  # a run leaves the collector as it was
        assert gc.collect() < 200
    finally:
        gc.enable()
    simulate(scenario)
    assert gc.isenabled()
