"""The desk: who is served when, what preemption keeps, and when people leave."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.center.desk import Desk, DeskFullError

tenths = st.integers(0, 400).map(lambda n: n / 8)  # exact in binary: sums have no rounding


def serve(
    env: simpy.Environment, desk: Desk, log: list[Any], name: Any, at: float, service: float,
    priority: int,
) -> None:  # fmt: skip
    """A piece of plain work: logs who did it, when it began and ended."""

    def process() -> Generator[Any, Any, None]:
        yield env.timeout(at)
        person = yield desk.request(priority)
        began = env.now
        yield env.timeout(service)
        log.append((name, person, began, env.now))
        desk.release(person)

    env.process(process())


@given(
    servers=st.integers(1, 4),
    gaps=st.lists(tenths, min_size=1, max_size=40),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_first_come_first_served_as_kiefer_and_wolfowitz(
    servers: int, gaps: list[float], data: st.DataObject
) -> None:
    # Their recursion on the sorted workloads of the servers (1955) gives every single wait.
    services = data.draw(st.lists(tenths, min_size=len(gaps), max_size=len(gaps)))
    load, expected = np.zeros(servers), []
    arrivals = np.cumsum(gaps)
    for gap, service in zip(gaps, services, strict=True):
        load = np.sort(np.maximum(load - gap, 0.0))
        expected.append(load[0])
        load[0] += service
    env = simpy.Environment()
    desk = Desk(env)
    for number in range(servers):
        desk.arrive(str(number))
    log: list[Any] = []
    for name, (at, service) in enumerate(zip(arrivals.tolist(), services, strict=True)):
        serve(env, desk, log, name, at, service, 1)
    env.run()
    began = {name: start for name, _, start, _ in log}
    assert [began[n] - arrivals[n] for n in range(len(gaps))] == expected


def test_lower_numbers_first_and_in_order_within_a_priority(env: simpy.Environment) -> None:
    desk = Desk(env)
    log: list[Any] = []
    for name, at, priority in (("a", 0, 5), ("b", 1, 5), ("c", 2, 5), ("d", 3, 0), ("e", 4, 0)):
        serve(env, desk, log, name, at, 10, priority)
    desk.arrive("only")
    env.run()
    assert [(name, began) for name, _, began, _ in log] == [
        ("a", 0), ("d", 10), ("e", 20), ("b", 30), ("c", 40)
    ]  # fmt: skip


def test_a_full_desk_loses_work_and_a_later_place_is_taken(env: simpy.Environment) -> None:
    desk = Desk(env, waiting_places=1)
    desk.arrive("only")
    first, second = desk.request(0), desk.request(0)
    with pytest.raises(DeskFullError):
        desk.request(0)
    assert first.triggered
    assert not second.triggered
    desk.release("only")
    assert second.triggered
    assert not desk.request(0).triggered


def test_somebody_who_asks_to_leave_finishes_first(env: simpy.Environment) -> None:
    desk = Desk(env)
    gone: list[tuple[str, float]] = []
    desk.left = lambda person: gone.append((person, env.now))
    log: list[Any] = []
    serve(env, desk, log, "long", 0, 100, 0)
    serve(env, desk, log, "next", 1, 10, 0)

    def shift() -> Generator[Any, Any, None]:
        desk.arrive("early")
        yield env.timeout(50)
        desk.leave("early")
        yield env.timeout(70)
        desk.arrive("late")
        yield env.timeout(50)
        desk.leave("late")

    env.process(shift())
    env.run()
    assert log == [("long", "early", 0, 100), ("next", "late", 120, 130)]
    assert gone == [("early", 100), ("late", 170)]


def test_an_alarm_takes_a_record_over_and_the_rest_is_done_later(env: simpy.Environment) -> None:
    desk = Desk(env)
    desk.arrive("only")
    log: list[Any] = []
    done: list[Any] = []

    def record() -> Generator[Any, Any, None]:
        done.append(((yield from desk.work(100, 5, preemptible=True)), env.now))

    env.process(record())
    serve(env, desk, log, "alarm", 30, 20, 0)
    serve(env, desk, log, "again", 60, 5, 0)
    env.run()
    assert log == [("alarm", "only", 30, 50), ("again", "only", 60, 65)]
    assert done == [("only", 125)]
    assert desk.free == ["only"]


def test_plain_work_of_low_priority_is_not_taken_over(env: simpy.Environment) -> None:
    desk = Desk(env)
    desk.arrive("only")
    log: list[Any] = []

    def record() -> Generator[Any, Any, None]:
        yield from desk.work(100, 5)

    env.process(record())
    serve(env, desk, log, "alarm", 30, 20, 0)
    env.run()
    assert log == [("alarm", "only", 100, 120)]


def test_an_alarm_gets_another_writer_when_the_one_it_took_goes_home(
    env: simpy.Environment,
) -> None:
    # Two people write; an alarm calls on one of them in the moment in which that one's shift
    # ends. The other one's record must give way then.
    desk = Desk(env)
    for person in ("a", "b"):
        desk.arrive(person)
    log: list[Any] = []

    def record() -> Generator[Any, Any, None]:
        yield from desk.work(1000, 5, preemptible=True)

    def shift() -> Generator[Any, Any, None]:
        yield env.timeout(30)
        request = desk.request(0)
        desk.leave("b")
        desk.leave("a")
        desk.arrive("c")
        person = yield request
        log.append((person, env.now))

    env.process(record())
    env.process(record())
    env.process(shift())
    env.run(until=900)
    assert log == [("c", 30)]


def test_a_record_gives_way_though_another_writer_leaves_at_the_same_time(
    env: simpy.Environment,
) -> None:
    desk = Desk(env)
    for person in ("a", "b"):
        desk.arrive(person)
    log: list[Any] = []

    def record() -> Generator[Any, Any, None]:
        yield from desk.work(1000, 5, preemptible=True)

    def shift() -> Generator[Any, Any, None]:
        yield env.timeout(30)
        request = desk.request(0)  # takes b's record over, the last one that began
        desk.leave("b")
        person = yield request
        log.append((person, env.now))

    env.process(record())
    env.process(record())
    env.process(shift())
    env.run(until=900)
    assert log == [("a", 30)]


def test_a_record_that_has_just_been_handed_over_gives_way_too(env: simpy.Environment) -> None:
    # The operator is released and the record takes over, and an alarm comes in the same moment.
    desk = Desk(env)
    desk.arrive("only")
    log: list[Any] = []

    def record() -> Generator[Any, Any, None]:
        yield env.timeout(1)
        yield from desk.work(1000, 5, preemptible=True)

    def moment() -> Generator[Any, Any, None]:
        person = yield desk.request(0)
        yield env.timeout(10)
        desk.release(person)
        person = yield desk.request(0)
        log.append(env.now)

    env.process(record())
    env.process(moment())
    env.run(until=2000)
    assert log == [10]


JOBS = st.lists(
    st.tuples(tenths, tenths.map(lambda t: t + 0.125), st.sampled_from((0, 3, 5)), st.booleans()),
    min_size=1,
    max_size=25,
)
SHIFTS = st.lists(st.tuples(tenths, tenths.map(lambda t: t + 0.125)), min_size=1, max_size=5)


@given(jobs=JOBS, shifts=SHIFTS)
@settings(max_examples=150, deadline=None)
def test_nobody_is_idle_while_work_waits_and_all_work_is_done(
    jobs: list[tuple[float, float, int, bool]], shifts: list[tuple[float, float]]
) -> None:
    env = simpy.Environment()
    desk = Desk(env)
    present: set[str] = set()
    busy: set[str] = set()
    worked = 0.0
    left_at: dict[str, float] = {}

    def left(person: str) -> None:
        assert person in present
        assert person not in busy
        present.remove(person)
        left_at[person] = env.now

    desk.left = left

    grant, release = desk.request, desk.release

    def request(priority: int) -> Any:
        event = grant(priority)

        def begins(event: Any) -> None:
            assert event.value in present
            assert event.value not in busy
            busy.add(event.value)

        event.callbacks.append(begins)
        return event

    def gives_back(person: str) -> None:
        busy.discard(person)
        release(person)

    desk.request = request  # type: ignore[method-assign]
    desk.release = gives_back  # type: ignore[method-assign]

    def work(
        at: float, seconds: float, priority: int, gives_way: bool
    ) -> Generator[Any, Any, None]:
        nonlocal worked
        yield env.timeout(at)
        person = yield from desk.work(seconds, priority, preemptible=gives_way and priority > 0)
        assert isinstance(person, str)
        worked += seconds

    def shift(name: str, begin: float, length: float) -> Generator[Any, Any, None]:
        yield env.timeout(begin)
        present.add(name)
        desk.arrive(name)
        yield env.timeout(length)
        desk.leave(name)

    def at_last() -> Generator[Any, Any, None]:
        yield env.timeout(200.0)
        present.add("last")
        desk.arrive("last")

    for job in jobs:
        env.process(work(*job))
    for number, (begin, length) in enumerate(shifts):
        env.process(shift(f"person-{number}", begin, length))
    env.process(at_last())
    while env.peek() < float("inf"):
        now = env.peek()
        while env.peek() == now:
            env.step()
        assert len(busy) <= len(present)
        assert not (len(desk) and desk.free), "somebody is free while work waits"
        assert busy | set(desk.free) == present
    assert worked == sum(seconds for _, seconds, _, _ in jobs)
    assert len(desk) == 0
    assert left_at.keys() == {f"person-{n}" for n in range(len(shifts))}


@given(
    records=st.lists(st.tuples(tenths, tenths), min_size=1, max_size=10),
    alarms=st.lists(st.tuples(tenths, tenths), min_size=1, max_size=10),
    operators=st.integers(1, 3),
)
@settings(max_examples=80, deadline=None)
def test_records_never_delay_an_alarm(
    records: list[tuple[float, float]], alarms: list[tuple[float, float]], operators: int
) -> None:
    def waits(with_records: bool) -> list[float]:
        env = simpy.Environment()
        desk = Desk(env)
        log: list[Any] = []

        def record(at: float, seconds: float) -> Generator[Any, Any, None]:
            yield env.timeout(at + 1 / 16)  # never in the very moment of an alarm
            yield from desk.work(seconds + 1 / 32, 5, preemptible=True)

        for number in range(operators):
            desk.arrive(str(number))
        if with_records:
            for at, seconds in records:
                env.process(record(at, seconds))
        for name, (at, seconds) in enumerate(alarms):
            serve(env, desk, log, name, at, seconds, 0)
        env.run()
        return [began for _, _, began, _ in sorted(log)]

    assert waits(True) == waits(False)
