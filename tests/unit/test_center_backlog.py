"""The backlog: no job is lost, none is taken twice, the most urgent one always goes."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from twin.center.backlog import Backlog, Job
from twin.terms import Ticket

WORK = {
    Ticket.BATTERY: 600.0,
    Ticket.OFFLINE: 1800.0,
    Ticket.FAULT: 1800.0,
    Ticket.CLEANING: 900.0,
    Ticket.HAZARD: 900.0,
    Ticket.PERIODIC: 240.0,
    Ticket.END_OF_LIFE: 600.0,
}
PLACE_OF = [0, 0, 1, 1, 2]


def work(job: Job) -> float:
    return WORK[job.ticket]


def job(
    device: int = 0, venue: int = 0, due: float = 100.0, ready: float = 0.0, **rest: Any
) -> Job:
    return Job(device, rest.get("ticket", Ticket.FAULT), venue, 0.0, due, ready)


def test_most_urgent_first_whatever_came_first() -> None:
    backlog = Backlog(PLACE_OF)
    late, soon = job(1, 0, due=500.0), job(2, 4, due=100.0)
    backlog.open(late)
    backlog.open(soon)
    assert backlog.take(0.0, 1.0, work, True) == [soon]
    assert backlog.take(0.0, 1.0, work, True) == [late]
    assert backlog.take(0.0, 1.0, work, True) == []


def test_the_most_urgent_one_goes_though_others_of_its_place_came_before() -> None:
    backlog = Backlog(PLACE_OF)
    for device, (venue, due) in enumerate(((0, 900.0), (0, 800.0), (1, 700.0), (1, 10.0))):
        backlog.open(job(device, venue, due=due))
    taken = backlog.take(0.0, 1800.0, work, True)
    assert taken[0].due == 10.0
    assert len(taken) == 1


def test_others_of_the_place_fill_the_time() -> None:
    backlog = Backlog(PLACE_OF)
    jobs = [job(d, v, due=d) for d, v in enumerate((0, 1, 0, 2, 1))]
    for one in jobs:
        backlog.open(one)
    taken = backlog.take(0.0, 3 * 1800.0, work, True)
    assert taken == [jobs[0], jobs[2], jobs[1]]  # the first one's venue before the place's others
    assert {j.device for j in backlog.take(0.0, inf, work, True)} == {3}


def test_a_job_waits_until_it_is_ready() -> None:
    backlog = Backlog(PLACE_OF)
    backlog.open(job(ready=50.0))
    assert backlog.take(49.0, inf, work, True) == []
    assert len(backlog.take(50.0, inf, work, True)) == 1


def test_a_device_has_one_open_ticket_of_a_kind() -> None:
    backlog = Backlog(PLACE_OF)
    first = job()
    assert backlog.open(first)
    assert not backlog.open(job())
    assert backlog.open(job(ticket=Ticket.BATTERY))
    backlog.close(first)
    assert backlog.open(job())
    assert {j.ticket for j in backlog.of_device(0)} == {Ticket.FAULT, Ticket.BATTERY}


class Machine(RuleBasedStateMachine):
    """Opens, takes, returns and closes jobs at random, beside a plain list of what is where."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog(PLACE_OF)
        self.now = 0.0
        self.inside: list[Job] = []
        self.out: list[Job] = []

    @rule(
        device=st.integers(0, 7), ticket=st.sampled_from(sorted(WORK)), due=st.integers(0, 50),
        ready=st.integers(0, 20), later=st.integers(0, 3),
    )  # fmt: skip
    def open(self, device: int, ticket: Ticket, due: int, ready: int, later: int) -> None:
        self.now += later
        new = Job(device, ticket, device % 5, self.now, self.now + due, self.now + ready)
        known = any((j.device, j.ticket) == (device, ticket) for j in self.inside + self.out)
        assert self.backlog.open(new) is not known
        if not known:
            self.inside.append(new)

    @rule(
        target=held, seconds=st.sampled_from([0.0, 600.0, 2000.0, 7200.0, inf]),
        whatever=st.booleans(),
    )  # fmt: skip
    def take(self, seconds: float, whatever: bool) -> list[Job]:
        ready = [j for j in self.inside if j.ready <= self.now]
        taken = self.backlog.take(self.now, seconds, work, whatever)
        for one in taken:
            assert one in ready
            assert one.open
            self.inside.remove(one)
        if taken:
            # The most urgent one first, and what lies at the same place, as long as there is time.
            assert taken[0].due == min(j.due for j in ready)
            assert len({PLACE_OF[j.venue] for j in taken}) == 1
            assert sum(map(work, taken)) <= seconds or (whatever and len(taken) == 1)
        else:
            shortest = min((work(j) for j in ready), default=inf)
            assert not ready or (not whatever and max(map(work, ready)) > seconds >= 0.0)
            assert shortest > 0.0
        self.out += taken
        return taken

    @rule(jobs=consumes(held), wait=st.integers(0, 10))
    def bring_back(self, jobs: list[Job], wait: int) -> None:
        for one in jobs:
            if one.open:
                one.ready = max(one.ready, self.now + wait)
                self.out.remove(one)
                self.inside.append(one)
                self.backlog.queue(one)

    @rule(jobs=consumes(held))
    def finish(self, jobs: list[Job]) -> None:
        for one in jobs:
            if one.open:
                self.backlog.close(one)
                self.out.remove(one)

    @rule(index=st.integers(0, 100))
    def close_by_itself(self, index: int) -> None:
        everything = self.inside + self.out
        if everything:
            one = everything[index % len(everything)]
            self.backlog.close(one)
            (self.inside if one in self.inside else self.out).remove(one)

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def nothing_is_lost(self) -> None:
        expected = {id(j) for j in self.inside + self.out}
        assert {id(j) for j in self.backlog.jobs.values()} == expected
        of_devices = [j for device in range(8) for j in self.backlog.of_device(device)]
        assert {id(j) for j in of_devices} == expected
        assert len(of_devices) == len(expected)

    def teardown(self) -> None:
        self.now = 1e9
        while taken := self.backlog.take(self.now, 1e4, work, True):
            for one in taken:
                self.inside.remove(one)
        assert self.inside == []


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("seconds", [1.0, 1800.0, 2300.0, 4000.0])
def test_taking_does_not_scan_the_place(seconds: float) -> None:
    # Counted work, not time: a job's cost is asked for a few times at most, also when what is
    # left of a trip is too short for any other job of the place.
    asked = 0

    def count(job: Job) -> float:
        nonlocal asked
        asked += 1
        return work(job)

    n = 1000
    backlog = Backlog([0])
    for device in range(n):
        backlog.open(Job(device, Ticket.FAULT, 0, 0.0, float(device), 0.0))
    taken = 0
    while jobs := backlog.take(0.0, seconds, count, True):
        taken += len(jobs)
    assert taken == n
    assert asked <= 20 * n
