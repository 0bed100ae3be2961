"""What is true of a device: thinning, repair, batteries, and what the platform can know of it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.center.maintenance import BackOnline, NewTicket
from twin.terms import Ticket
from twin.world.condition import LOW_BATTERY_RESERVE_S, Change, Changes, Condition

DAY = 86400.0
PERIOD = 1000 * DAY
FLAG_AFTER = 5.0
HOST_AFTER = 0.5
SEEN_AFTER = 3.0
REGISTERS_AFTER = 2.0
BATTERY = 100 * DAY


def condition(*happens: tuple[Change, float, float, float, float], device: int = 0) -> Condition:
    """A device to which things happen: what, time, known, until, back."""
    changes = Changes()
    for what, time, known, until, back in happens:
        changes.add(
            what, what.name.lower(), np.array([device]), np.array([time]), np.array([known]),
            np.array([until]), np.array([back]),
        )  # fmt: skip
    return build(changes, device + 1)


class Known:
    """Flags come some time after a silence, or at once from a host; dead slaves cost a second."""

    def flagged_one(self, device: int, cut_off: float, dead: int | None = None) -> float:
        del device
        return cut_off + (FLAG_AFTER if dead is None else HOST_AFTER + dead)

    def seen_one(self, device: int, restored: float, registers: bool) -> float:
        del device
        return restored + (0.0 if registers else SEEN_AFTER)

    def host_tells_one(self, device: int, time: float) -> float:
        del device
        return time + HOST_AFTER

    def late_one(self, device: int, sent: float, arrival: float, dead: int) -> float:
        del device, sent
        return arrival + dead

    def state_known_one(self, device: int, time: float) -> float:
        del device
        return time + 1.0


def build(changes: Changes, devices: int, gateway: list[int] | None = None) -> Condition:
    return Condition(
        changes,
        Known(),
        [REGISTERS_AFTER] * devices,
        [BATTERY] * devices,
        gateway or [-1] * devices,
        PERIOD,
    )


def on_a_bus(*happens: tuple[int, Change, float, float, float, float]) -> Condition:
    """A host, device 3, and its slaves 0 to 2: device, what, time, known, until, back."""
    changes = Changes()
    for device, what, time, known, until, back in happens:
        changes.add(
            what, what.name.lower(), np.array([device]), np.array([time]), np.array([known]),
            np.array([until]), np.array([back]),
        )  # fmt: skip
    return build(changes, 4, [3, 3, 3, -1])


def spans(of: Condition) -> dict[str, list[tuple[float, float]]]:
    found = of.spans()
    rows = zip(
        found.dead.tolist(), found.start.tolist(), found.end.tolist(), found.device.tolist(),
        strict=True,
    )  # fmt: skip
    result: dict[str, list[tuple[float, float]]] = {"dead": [], "cut": []}
    for dead, start, end, _ in sorted(rows, key=lambda row: row[1]):
        result["dead" if dead else "cut"].append((start, end))
    return result


def test_a_reported_fault_is_dead_and_online_until_repaired() -> None:
    of = condition((Change.FAULT, 10.0, 12.0, inf, inf))
    assert of.hears(0, 9.0) == ""
    assert of.hears(0, 10.0) == "dead"
    assert list(of.due(20.0)) == [NewTicket(12.0, 0, Ticket.FAULT)]
    assert of.fault_reports == [(0, 12.0, 10.0, "fault")]
    assert of.broken(0)
    of.restore(0, 30.0, battery=False, exchanged=False)
    assert spans(of) == {"dead": [(10.0, 30.0)], "cut": []}
    assert of.hears(0, 31.0) == ""
    assert of.hears(0, 29.0) == "dead"  # a signal of before the repair that arrives late


def test_what_happens_to_a_dead_device_is_thinned_out() -> None:
    of = condition(
        (Change.FAULT, 10.0, 12.0, inf, inf),
        (Change.FAULT, 15.0, 16.0, inf, inf),
        (Change.CUT_OFF, 16.0, 25.0, inf, inf),
        (Change.DIRTY, 17.0, 18.0, inf, inf),
        (Change.LOW_BATTERY, 18.0, 19.0, inf, inf),
        (Change.FAULT, 40.0, 41.0, inf, inf),
    )
    assert list(of.due(30.0)) == [NewTicket(12.0, 0, Ticket.FAULT)]
    of.restore(0, 30.0, battery=False, exchanged=False)
    assert list(of.due(100.0)) == [NewTicket(41.0, 0, Ticket.FAULT)]
    assert [report[1:3] for report in of.fault_reports] == [(12.0, 10.0), (41.0, 40.0)]
    assert spans(of) == {"dead": [(10.0, 30.0), (40.0, inf)], "cut": []}


def test_a_loss_of_coverage_heals_by_itself_and_the_platform_sees_it_later() -> None:
    of = condition((Change.CUT_OFF, 10.0, 15.0, 50.0, 58.0))
    assert of.hears(0, 20.0) == "offline"
    assert list(of.due(20.0)) == [NewTicket(15.0, 0, Ticket.OFFLINE)]
    assert of.broken(0)
    assert list(of.due(49.0)) == []
    assert list(of.due(57.0)) == []
    assert not of.broken(0)
    assert list(of.due(60.0)) == [BackOnline(58.0, 0)]
    assert list(of.due(1000.0)) == []
    assert of.hears(0, 55.0) == ""
    assert spans(of) == {"dead": [], "cut": [(10.0, 50.0)]}


@pytest.mark.parametrize(("second", "end", "back"), [(80.0, 80.0, 88.0), (30.0, 50.0, 58.0)])
def test_of_two_losses_of_coverage_the_longer_one_counts(
    second: float, end: float, back: float
) -> None:
    of = condition(
        (Change.CUT_OFF, 10.0, 15.0, 50.0, 58.0),
        (Change.CUT_OFF, 20.0, 25.0, second, second + 8.0),
    )
    assert list(of.due(200.0)) == [NewTicket(15.0, 0, Ticket.OFFLINE), BackOnline(back, 0)]
    assert spans(of)["cut"] == [(10.0, end)]


def test_a_radio_that_fails_out_of_coverage_needs_a_visit() -> None:
    of = condition(
        (Change.CUT_OFF, 10.0, inf, 14.0, inf),  # too short for a flag
        (Change.CUT_OFF, 13.0, 18.0, inf, inf),
    )
    assert list(of.due(200.0)) == [NewTicket(10.0 + FLAG_AFTER, 0, Ticket.OFFLINE)]
    of.restore(0, 300.0, battery=False, exchanged=False)
    assert spans(of)["cut"] == [(10.0, 300.0)]


def test_a_host_reports_its_dead_slave_at_once_and_slower_the_more_are_dead() -> None:
    of = on_a_bus((0, Change.DEAD, 10.0, inf, inf, inf), (1, Change.DEAD, 20.0, inf, inf, inf))
    assert list(of.due(30.0)) == [
        NewTicket(10.0 + HOST_AFTER, 0, Ticket.OFFLINE),
        NewTicket(20.0 + HOST_AFTER + 1.0, 1, Ticket.OFFLINE),
    ]


def test_dead_slaves_delay_what_the_others_say_until_they_are_repaired() -> None:
    of = on_a_bus(
        (0, Change.DEAD, 10.0, inf, inf, inf),
        (1, Change.DEAD, 11.0, inf, inf, inf),
        (2, Change.FAULT, 20.0, 21.0, inf, inf),
    )
    received = {n.device: n.received for n in of.due(30.0) if isinstance(n, NewTicket)}
    assert received[2] == 21.0 + 2.0
    assert of.arrival(2, 25.0, 26.0) == 28.0
    assert of.arrival(3, 25.0, 26.0) == 26.0  # the host itself is on no bus
    of.restore(0, 40.0, battery=False, exchanged=False)
    of.restore(1, 40.0, battery=False, exchanged=False)
    assert of.arrival(2, 41.0, 42.0) == 42.0


def test_nothing_is_heard_of_slaves_whose_host_is_cut_off() -> None:
    of = on_a_bus(
        (3, Change.DEAD, 10.0, inf, inf, inf),
        (0, Change.DEAD, 20.0, inf, inf, inf),
        (1, Change.FAULT, 21.0, 22.0, inf, inf),
    )
    assert of.hears(2, 9.0) == ""
    assert of.hears(2, 30.0) == "offline"
    # By missed heartbeats alone, and no fault is reported.
    assert list(of.due(30.0)) == [
        NewTicket(10.0 + FLAG_AFTER, 3, Ticket.OFFLINE),
        NewTicket(20.0 + FLAG_AFTER, 0, Ticket.OFFLINE),
    ]
    of.restore(3, 40.0, battery=False, exchanged=False)
    reports = 40.0 + REGISTERS_AFTER
    assert list(of.due(60.0)) == [
        NewTicket(reports, 1, Ticket.FAULT), NewTicket(reports + HOST_AFTER, 0, Ticket.OFFLINE)
    ]  # fmt: skip
    assert of.hears(2, 41.0) == ""


def test_a_flag_that_nobody_looked_at_still_gets_its_ticket() -> None:
    of = condition((Change.CUT_OFF, 10.0, 15.0, 50.0, 58.0))
    assert list(of.due(100.0)) == [NewTicket(15.0, 0, Ticket.OFFLINE), BackOnline(58.0, 0)]


def test_an_outage_too_short_for_a_flag_leaves_no_ticket() -> None:
    of = condition((Change.CUT_OFF, 10.0, inf, 12.0, inf))
    assert list(of.due(100.0)) == []


def test_a_visit_ends_a_loss_of_coverage_before_it_heals() -> None:
    of = condition((Change.CUT_OFF, 10.0, 15.0, 50.0, 58.0))
    assert list(of.due(20.0)) == [NewTicket(15.0, 0, Ticket.OFFLINE)]
    of.restore(0, 30.0, battery=False, exchanged=False)
    assert list(of.due(100.0)) == []  # whoever was there has closed the ticket
    assert spans(of) == {"dead": [], "cut": [(10.0, 30.0)]}


def test_a_silent_device_is_dead_and_offline_until_somebody_comes() -> None:
    of = condition((Change.DEAD, 10.0, 15.0, inf, inf))
    assert list(of.due(20.0)) == [NewTicket(10.0 + FLAG_AFTER, 0, Ticket.OFFLINE)]
    assert list(of.due(1e6)) == []
    of.restore(0, 1e6, battery=False, exchanged=True)
    assert spans(of) == {"dead": [(10.0, 1e6)], "cut": [(10.0, 1e6)]}


def test_a_device_that_dies_out_of_coverage_stays_silent_when_coverage_returns() -> None:
    of = condition(
        (Change.CUT_OFF, 10.0, inf, 14.0, inf),  # too short for a flag
        (Change.DEAD, 12.0, 17.0, inf, inf),
    )
    assert list(of.due(1000.0)) == [NewTicket(10.0 + FLAG_AFTER, 0, Ticket.OFFLINE)]
    assert spans(of)["cut"][-1][1] == inf


def test_a_battery_that_runs_out_in_a_faulty_device_takes_it_offline() -> None:
    low = 10 * DAY
    of = condition(
        (Change.LOW_BATTERY, low, low + 1.0, inf, inf),
        (Change.FAULT, low + DAY, inf, inf, inf),  # its report is lost
    )
    empty = low + LOW_BATTERY_RESERVE_S
    assert list(of.due(PERIOD)) == [
        NewTicket(low + 1.0, 0, Ticket.BATTERY), NewTicket(empty + FLAG_AFTER, 0, Ticket.OFFLINE)
    ]  # fmt: skip
    assert spans(of) == {"dead": [(low + DAY, inf)], "cut": [(empty, inf)]}
    assert of.needs_battery(0)
    assert of.fault_reports == []


def test_an_empty_battery_silences_the_device_30_days_after_the_warning() -> None:
    low = 10 * DAY
    of = condition((Change.LOW_BATTERY, low, low + 1.0, inf, inf))
    assert list(of.due(20 * DAY)) == [NewTicket(low + 1.0, 0, Ticket.BATTERY)]
    empty = low + LOW_BATTERY_RESERVE_S
    assert list(of.due(50 * DAY)) == [NewTicket(empty + FLAG_AFTER, 0, Ticket.OFFLINE)]
    assert spans(of) == {"dead": [(empty, inf)], "cut": [(empty, inf)]}
    assert of.unfinished_low_batteries() == [(0, low, inf)]


def test_a_new_battery_begins_a_new_life() -> None:
    low = 10 * DAY
    of = condition((Change.LOW_BATTERY, low, low + 1.0, inf, inf))
    list(of.due(11 * DAY))
    of.restore(0, 12 * DAY, battery=True, exchanged=False)
    assert of.low_batteries == [(0, low, 12 * DAY)]
    again = 12 * DAY + BATTERY
    assert list(of.due(again + 10.0)) == [NewTicket(again + 1.0, 0, Ticket.BATTERY)]
    assert spans(of) == {"dead": [], "cut": []}
    assert of.unfinished_low_batteries() == [(0, again, inf)]


def test_a_repair_without_a_battery_does_not_charge_it() -> None:
    low = 10 * DAY
    of = condition(
        (Change.LOW_BATTERY, low, low + 1.0, inf, inf),
        (Change.FAULT, low + 5.0, low + 6.0, inf, inf),
    )
    list(of.due(11 * DAY))
    of.restore(0, 12 * DAY, battery=False, exchanged=False)
    of.advance(PERIOD)
    assert spans(of)["cut"] == [(low + LOW_BATTERY_RESERVE_S, inf)]


def test_a_false_flag_is_no_outage_and_ends_by_itself_or_by_a_visit() -> None:
    of = condition((Change.FALSE_FLAG, 10.0, 10.0, 70.0, inf))
    assert list(of.due(20.0)) == [NewTicket(10.0, 0, Ticket.OFFLINE)]
    assert of.hears(0, 20.0) == ""
    assert not of.broken(0)
    assert list(of.due(69.0)) == []
    assert list(of.due(70.0)) == [BackOnline(70.0, 0)]
    visited = condition((Change.FALSE_FLAG, 10.0, 10.0, 70.0, inf))
    list(visited.due(20.0))
    visited.restore(0, 30.0, battery=False, exchanged=False)
    assert visited.visited_flags == {(0, 10.0): 30.0}
    assert spans(visited) == {"dead": [], "cut": []}


def test_a_planned_test_is_due_though_the_device_is_dead() -> None:
    of = condition((Change.FAULT, 10.0, inf, inf, inf), (Change.PERIODIC, 20.0, 20.0, inf, inf))
    assert list(of.due(30.0)) == [NewTicket(20.0, 0, Ticket.PERIODIC)]


def test_a_planned_test_of_a_venue_is_due_though_its_first_device_was_repaired_just_then() -> None:
    # Planned work is entered for a venue's first point on behalf of all of them.
    of = condition((Change.FAULT, 10.0, 12.0, inf, inf), (Change.PERIODIC, 20.0, 20.0, inf, inf))
    assert len(list(of.due(15.0))) == 1
    of.restore(0, 25.0, battery=False, exchanged=False)
    assert list(of.due(30.0)) == [NewTicket(20.0, 0, Ticket.PERIODIC)]


@pytest.mark.parametrize(
    ("what", "ticket"),
    [(Change.FAULT, Ticket.FAULT), (Change.LOW_BATTERY, Ticket.BATTERY),
     (Change.DIRTY, Ticket.CLEANING), (Change.HAZARD, Ticket.HAZARD)],
)  # fmt: skip
def test_what_a_cut_off_device_has_to_report_is_known_when_it_is_back(
    what: Change, ticket: Ticket
) -> None:
    of = condition((Change.CUT_OFF, 10.0, 15.0, 50.0, 58.0), (what, 20.0, 21.0, inf, inf))
    assert list(of.due(30.0)) == [NewTicket(15.0, 0, Ticket.OFFLINE)]
    assert list(of.due(57.0)) == []
    assert list(of.due(58.0)) == [BackOnline(58.0, 0), NewTicket(58.0, 0, ticket)]
    reports = [(0, 58.0, 20.0, "fault")] if what is Change.FAULT else []
    assert of.fault_reports == reports
    visited = condition((Change.CUT_OFF, 10.0, 15.0, 50.0, 58.0), (what, 20.0, 21.0, inf, inf))
    list(visited.due(30.0))
    visited.restore(0, 40.0, battery=True, exchanged=False)
    assert list(visited.due(100.0)) == []
    assert visited.fault_reports == []


def test_a_device_repaired_shortly_before_its_flag_leaves_no_ticket_open() -> None:
    of = condition((Change.CUT_OFF, 10.0, 15.0, inf, inf))
    assert list(of.due(13.0)) == []
    of.restore(0, 13.0, battery=False, exchanged=False)  # heard of at 16, flagged at 15
    open_: dict[int, float] = {}
    tickets_after(of.due(1000.0), open_)
    assert open_ == {}


@pytest.mark.parametrize(
    "happens",
    [
        [(Change.CUT_OFF, 10.0, 15.0, 50.0, 58.0), (Change.FAULT, 20.0, 21.0, inf, inf)],
        [(Change.CUT_OFF, 10.0, 15.0, 50.0, 58.0), (Change.DIRTY, 20.0, 21.0, inf, inf)],
        [(Change.FALSE_FLAG, 10.0, 10.0, 70.0, inf), (Change.CUT_OFF, 20.0, inf, 30.0, inf)],
    ],
    ids=["fault", "dirt", "false flag"],
)
def test_looking_seldom_changes_nothing(
    happens: list[tuple[Change, float, float, float, float]],
) -> None:
    often, seldom = condition(*happens), condition(*happens)
    assert list(seldom.due(100.0)) == [n for now in range(101) for n in often.due(float(now))]
    assert seldom.fault_reports == often.fault_reports


SORTS = st.sampled_from(
    [Change.FAULT, Change.DEAD, Change.CUT_OFF, Change.LOW_BATTERY, Change.FALSE_FLAG, Change.DIRTY]
)
HAPPENS = st.lists(
    st.tuples(SORTS, st.integers(0, 2), st.integers(0, 120), st.integers(0, 9), st.integers(1, 60)),
    max_size=25,
)
VISITS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 200), st.booleans(), st.booleans()), max_size=10
)


def tickets_after(news: Iterable[NewTicket | BackOnline], open_: dict[int, float]) -> None:
    """Opens and closes offline tickets (device: received), as the maintenance does."""
    for new in news:
        if isinstance(new, BackOnline):
            if open_.get(new.device, inf) <= new.at:
                del open_[new.device]
        elif new.ticket is Ticket.OFFLINE:
            open_.setdefault(new.device, new.received)


@given(happens=HAPPENS, visits=VISITS)
@settings(max_examples=200, deadline=None)
def test_times_down_are_disjoint_and_every_silence_is_one(
    happens: list[tuple[Change, int, int, int, int]], visits: list[tuple[int, int, bool, bool]]
) -> None:
    changes = Changes()
    for what, device, day, delay, length in happens:
        heals = what in (Change.CUT_OFF, Change.FALSE_FLAG) and length < 50
        until = (day + length) * DAY if heals else inf
        known = min(day * DAY + delay * 3600.0, until)
        one: Any = (np.array([device]), np.array([day * DAY]), np.array([known]), np.array([until]),
                    np.array([until + 60.0]))  # fmt: skip
        changes.add(what, what.name, *one)
    of = build(changes, 3)
    news: list[NewTicket | BackOnline] = []
    open_: dict[int, float] = {}
    lasting_flags: set[int] = set()

    def learn(now: float) -> None:
        new = list(of.due(now))
        times = [n.received if isinstance(n, NewTicket) else n.at for n in new]
        assert times == sorted(times)
        assert all(0.0 <= time <= now for time in times)
        news.extend(new)
        tickets_after(new, open_)

    for device, day, battery, exchanged in sorted(visits, key=lambda v: v[1]):
        learn(day * DAY + 1.0)
        of.restore(device, day * DAY + 1.0, battery=battery, exchanged=exchanged)
        assert not of.broken(device)
        assert of.hears(device, day * DAY + 1.0) == ""
        open_.pop(device, None)
    learn(PERIOD)
    opened = [n for n in news if isinstance(n, NewTicket)]
    found = of.spans()
    for dead in (True, False):
        for device in range(3):
            mine = sorted(
                (start, end)
                for d, start, end, kind in zip(
                    found.device.tolist(), found.start.tolist(), found.end.tolist(),
                    found.dead.tolist(), strict=True,
                )
                if d == device and kind is dead
            )  # fmt: skip
            assert all(start <= end for start, end in mine)
            assert all(a[1] <= b[0] for a, b in pairwise(mine))
            lasting = of.dead_since[device] if dead else of.cut_since[device]
            assert (mine[-1][1] == inf if mine else False) is (lasting < inf)
    # Whatever lasts to the end and could be known has its ticket.
    for device in range(3):
        since = of.cut_since[device]
        if since < inf:
            assert any(
                t.device == device and t.ticket is Ticket.OFFLINE and t.received >= since
                for t in opened
            )
            assert device in open_
    # Nobody is sent to a device that was back, or was visited, and has nothing new.
    last_visit = {device: day * DAY + 1.0 for device, day, *_ in sorted(visits, key=lambda v: v[1])}
    for what, device, day, _, length in happens:
        if what is Change.FALSE_FLAG and length >= 50 and day * DAY > last_visit.get(device, -inf):
            lasting_flags.add(device)
    assert open_.keys() <= {d for d in range(3) if of.cut_since[d] < inf} | lasting_flags


@pytest.mark.parametrize("steps", [[1e9], [5.0, 11.0, 12.0, 500.0, 1e9]])
def test_looking_more_often_changes_nothing(steps: list[float]) -> None:
    of = condition(
        (Change.CUT_OFF, 10.0, 15.0, 50.0, 58.0),
        (Change.DEAD, 100.0, 105.0, inf, inf),
    )
    news = [n for now in steps for n in of.due(now)]
    assert news == [
        NewTicket(15.0, 0, Ticket.OFFLINE), BackOnline(58.0, 0),
        NewTicket(105.0, 0, Ticket.OFFLINE),
    ]  # fmt: skip
    assert spans(of) == {"dead": [(100.0, inf)], "cut": [(10.0, 50.0), (100.0, inf)]}
