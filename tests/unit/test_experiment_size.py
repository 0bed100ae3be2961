"""Sizing: against Erlang's formula, exhaustive search, and the honesty of "undecided"."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.assessment.finding import Text
from twin.center.sizing import SizeSettings
from twin.experiment.curve import BASE, crossing_of, curve, last_crossing_of, threshold
from twin.experiment.design import Design, center_of, present
from twin.experiment.evidence import Decision, Estimate, Sample
from twin.experiment.fleets import fleets_of, generated, in_turn
from twin.experiment.replicate import Changes, Figures, Replicator, Workers, figures
from twin.experiment.size import Bench, Sizing, Trial, fewest, size, smallest
from twin.experiment.targets import Target
from twin.kpi import compute, tables
from twin.scenario import Scenario, ScenarioError, load_scenario
from twin.streams import Streams
from twin.world import simulate

# -- a queue whose answer is known ------------------------------------------------------------

OFFERED, CALLS = 2.0, 3000


def erlang_c(servers: int, offered: float) -> float:
    """Odds that an arrival has to wait in M/M/c."""
    below = sum(offered**k / math.factorial(k) for k in range(servers))
    full = offered**servers / math.factorial(servers) * servers / (servers - offered)
    return full / (below + full)


class Queue:
    """Simulates M/M/c in place of a center: ``servers`` in the changes, a period of 3,000 calls."""

    def run(self, designs: Sequence[Changes], numbers: Sequence[int]) -> list[list[Figures]]:
        """The figures of these periods, the same luck for every number of servers."""
        return [[self._period(int(d["servers"]), n) for n in numbers] for d in designs]

    def _period(self, servers: int, number: int) -> Figures:
        random = np.random.default_rng([7, number])
        arrive = np.cumsum(random.exponential(1 / OFFERED, CALLS + 500)).tolist()
        serve = random.exponential(1.0, CALLS + 500).tolist()
        free = [0.0] * servers
        waited = 0
        for k, (at, seconds) in enumerate(zip(arrive, serve, strict=True)):
            soonest = heapq.heappop(free)
            waited += k >= 500 and soonest > at
            heapq.heappush(free, max(at, soonest) + seconds)
        return {"waited": float(waited), "calls": float(CALLS)}


def _no_wait(least: float) -> Target:
    def sample(found: Figures, _: Figures) -> Sample:
        return Sample(1 - found["waited"] / found["calls"])

    return Target("wait", "-", Text("", ""), Text("", ""), least, sample)


def _bench(replications: int) -> Bench:
    settings = SizeSettings(first=4, replications=replications)
    return Bench(cast(Replicator, Queue()), settings, {"servers": 12})


@pytest.mark.parametrize("most_waiting", [0.3, 0.1, 0.03])
def test_the_smallest_number_of_servers_is_erlangs(most_waiting: float) -> None:
    """Offered 2 erlang; waiting by Erlang C: 44.4, 17.4, 6.0, 1.8 % with 3, 4, 5, 6 servers."""
    bench, target = _bench(16), _no_wait(1 - most_waiting)
    options = [Design(n, 0, 1, 0.02) for n in range(3, 11)]

    def passes(design: Design) -> bool:
        trial = bench.test("people", design, {"servers": design.people}, [target])
        return trial.decision is Decision.MET

    found = smallest(options, passes)
    expected = next(n for n in range(3, 11) if erlang_c(n, OFFERED) <= most_waiting)
    assert found is not None
    assert found.people == expected


def test_what_lies_on_the_line_stays_undecided() -> None:
    """Asked for exactly what Erlang C gives, 16 periods decide nothing, and no claim is made."""
    trial = _bench(16).test(
        "people", Design(5, 0, 1, 0.02), {"servers": 5}, [_no_wait(1 - erlang_c(5, OFFERED))]
    )
    assert trial.periods == 16
    assert trial.decision is Decision.UNDECIDED


def test_far_from_the_line_few_periods_are_enough() -> None:
    """The first look decides, both ways."""
    bench = _bench(64)
    for asked, decision in ((0.5, Decision.MET), (0.99, Decision.MISSED)):
        trial = bench.test("people", Design(5, 0, 1, 0.02), {"servers": 5}, [_no_wait(asked)])
        assert (trial.periods, trial.decision) == (4, decision)


# -- search and interpolation -----------------------------------------------------------------


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_smallest_is_that_of_trying_all(options: int, threshold: int) -> None:
    """The search finds what trying one after the other finds, with few tests."""
    tried: list[int] = []

    def passes(design: Design) -> bool:
        tried.append(design.people)
        return design.people >= threshold

    found = smallest([Design(n, 0, 1, 0.0) for n in range(options)], passes)
    assert (found.people if found else None) == (threshold if threshold < options else None)
    assert len(tried) <= 2 * math.log2(min(threshold, options) + 1) + 3
    assert len(set(tried)) == len(tried)


@given(
    st.integers(2, 6),
    st.integers(1, 8),
    st.integers(1, 6),
    st.lists(st.integers(0, 9), min_size=6, max_size=6),
    st.integers(2, 8),
)
def test_the_fewest_people_are_those_of_trying_all(
    people: int, crew: int, teams: int, needs: list[int], by_duty: int
) -> None:
    """Every pair of people on a shift and for maintenance, 0 for the shift's own: none with fewer
    in all passes than what is found, and that passes. ``needs`` is the crew that each number on a
    shift asks for, no more with more people."""
    needs = sorted(needs, reverse=True)
    tried: list[Design] = []

    def passes(design: Design) -> bool:
        if design.maintenance == 0:  # never where the largest crew does not do
            return design.people >= by_duty and crew >= needs[design.people - 2]
        return design.maintenance >= needs[design.people - 2]

    def test(_: str, design: Design) -> bool:
        tried.append(design)
        return passes(design)

    found = fewest(Design(people, crew, 3, 0.1), teams, test)
    every = [Design(p, m, 3, 0.1) for p in range(2, people + 1) for m in range(crew + 1)]
    staff = {d: d.people * teams + d.maintenance for d in every if passes(d)}
    assert (found is None) == (not staff)
    if found is not None:
        assert staff[found] == min(staff.values())
    assert len(tried) <= 2 * len(every) + 2


@given(st.floats(0.001, 10), st.floats(-10, -0.001), st.integers(1, 5))
def test_a_straight_line_crosses_where_it_does(start: float, slope: float, step: int) -> None:
    """margin = start + slope x falls below 0 at -start/slope, wherever it was looked at."""
    points = [float(x * step) for x in range(200)]
    crossing = crossing_of(points, [start + slope * x for x in points])
    expected = -start / slope
    assert crossing == (pytest.approx(expected, rel=1e-6) if expected < points[-1] else math.inf)


def test_beyond_what_was_tried_nothing_is_interpolated() -> None:
    """Below from the start, or never below."""
    assert crossing_of([1.0, 2.0], [-0.1, -0.2]) == -math.inf
    assert crossing_of([1.0, 2.0], [0.1, 0.0]) == math.inf
    assert last_crossing_of([1.0, 2.0], [-0.1, -0.2]) == -math.inf
    assert last_crossing_of([1.0, 2.0], [0.1, 0.0]) == math.inf


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=8))
def test_from_both_ends_the_crossings_enclose(margins: list[float]) -> None:
    """The last crossing is no lower than the first; where there is one only, they are the same."""
    points = [10.0 * k for k in range(len(margins))]
    first, last = crossing_of(points, margins), last_crossing_of(points, margins)
    assert first <= last
    if sorted(margins, reverse=True) == margins:
        assert first == last


# -- designs and replications -----------------------------------------------------------------

SMALL = ["venues.points=600", 'duration="20 d"']


@pytest.fixture(scope="module")
def small() -> Scenario:
    """A small township for a short period."""
    return load_scenario("township", SMALL)


def test_a_design_is_a_scenario(small: Scenario) -> None:
    """People of every team, crew, vans, spares and heartbeats stand where a run reads them."""
    design = Design(people=3, maintenance=0, vans=5, spares=0.03, heartbeat=3600.0)
    changed = small.changed(**design.changes(small, "center"))
    center = changed.centers["center"]
    assert center.roster.duty == 12
    assert (center.roster.maintenance, center.maintenance.by_duty) == (0, True)
    assert (center.vehicles.vans, center.spares.share) == (5, 0.03)
    assert changed.vendors["vendor"].heartbeat == 3600.0
    assert center.checklist == small.centers["center"].checklist
    assert present(changed, "center") == Design(3, 0, 5, 0.03)
    assert design.staff(small, "center") == 12


def test_a_heartbeat_is_that_of_all_devices(small: Scenario) -> None:
    """An interval that a vendor has for a kind of its own does not outlive the one that is
    tried; the interval that the vendors have already changes nothing."""
    vendors = small.model_dump(mode="json", exclude_none=True)["vendors"]
    vendors["vendor"]["heartbeat_of"] = {"smoke_alarm": "2 h"}
    own = small.changed(vendors=vendors)
    changed = own.changed(**Design(2, 1, 1, 0.1, 86400.0).changes(own, "center"))
    assert own.vendors["vendor"].heartbeat_of == {"smoke_alarm": 7200.0}
    assert changed.vendors["vendor"].heartbeat_of == {}
    assert "vendors" not in Design(2, 1, 1, 0.1, 86400.0).changes(small, "center")


def test_one_of_several_centers_is_named(small: Scenario) -> None:
    """With several centers the one to size has to be named, and to exist."""
    two = small.changed(
        centers={"west": {"lon": 119.5, "lat": 32.0}, "east": {"lon": 119.6, "lat": 32.0}}
    )
    assert center_of(two, "east") == "east"
    assert center_of(small, None) == "center"
    with pytest.raises(ScenarioError, match="name the one to size"):
        center_of(two, None)
    with pytest.raises(ScenarioError, match=r'no center "north"; there are west, east'):
        center_of(two, "north")


def _run(scenario: Scenario, workers: int) -> list[list[Figures]]:
    designs = [Design(n, 1, 2, 0.02).changes(scenario, "center") for n in (2, 3)]
    with Workers(workers) as hands:
        replicator = Replicator(scenario, "center", hands)
        replicator.run(designs[:1], [1])  # what is known already changes nothing
        return replicator.run(designs, range(3))


def test_any_number_of_workers_gives_the_same(small: Scenario) -> None:
    """Figures by design and seed, whoever worked them out and in which order."""
    alone = _run(small, 1)
    together = _run(small, 2)
    for design in range(2):
        for one, other in zip(alone[design], together[design], strict=True):
            assert list(one) == list(other)
            np.testing.assert_array_equal(list(one.values()), list(other.values()))
    # common random numbers: the same messages come, whoever is on duty; other years differ
    messages = [[figures["messages"] for figures in row] for row in alone]
    assert messages[0] == messages[1]
    assert len(set(messages[0])) > 1


def test_a_center_alone_has_its_figures(small: Scenario) -> None:
    """Of two centers one is simulated, and is what it is in the run of both."""
    table = small.model_dump(mode="json", exclude_none=True)["centers"]["center"]
    places = {"west": {"lon": 119.56, "lat": 32.0}, "east": {"lon": 119.6, "lat": 32.0}}
    two = small.changed(centers={name: table | place for name, place in places.items()})
    both = compute(simulate(two, processes=1).log.of_center("east"))
    expected = {row["name"]: row["value"] for row in tables(both)["year"]}
    found = figures(two, "east", {}, two.seed)
    assert expected["messages"] > 0
    for name, value in expected.items():
        np.testing.assert_equal(found[name], value)


# -- fleets of any size -----------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=30).filter(any),
    st.integers(1, 300),
    st.integers(0, 300),
)
def test_venues_are_taken_in_turn(sizes: list[int], points: int, more: int) -> None:
    """None twice before all were taken; as near to the points as its order allows; a larger fleet
    begins with the smaller one."""
    size_of, streams = np.array(sizes), Streams(4)
    taken = in_turn(size_of, points, streams).tolist()
    for first in range(0, len(taken), len(sizes)):
        part = taken[first : first + len(sizes)]
        assert len(set(part)) == len(part)
    sums = np.cumsum(size_of[taken])
    assert abs(sums[-1] - points) == min(abs(sums - points))
    assert abs(sums[-1] - points) <= max(sizes)
    assert in_turn(size_of, points + more, streams).tolist()[: len(taken)] == taken


def test_the_fleet_of_one_of_several_centers(small: Scenario, tmp_path: Path) -> None:
    """Three times the points at the center's own places, in its own mix, and it can be run."""
    table = small.model_dump(mode="json", exclude_none=True)["centers"]["center"]
    places = {"west": {"lon": 119.56, "lat": 32.0}, "east": {"lon": 119.6, "lat": 32.0}}
    two = small.changed(centers={name: table | place for name, place in places.items()})
    assert not generated(two)
    before = simulate(two, processes=1).sites["east"]
    changes = fleets_of(two, "east", tmp_path)(1500)
    assert changes is not None
    alone = two.changed(**changes)
    assert list(alone.centers) == ["east"]
    run = simulate(alone, processes=1)
    assert run.points == pytest.approx(1500, rel=0.02)
    own = {(round(x), round(y)) for x, y in zip(before.venue_x, before.venue_y, strict=True)}
    after = run.sites["east"]
    assert {(round(x), round(y)) for x, y in zip(after.venue_x, after.venue_y, strict=True)} == own


def test_points_that_whole_venues_do_not_come_to(small: Scenario, tmp_path: Path) -> None:
    """One place of 400 points: 100 and 600 are left out, 400 and 800 are not."""
    file = tmp_path / "venues.csv"
    file.write_text("lon,lat,kind,smoke_alarm\n119.58,32.0,enterprise,400\n", encoding="utf-8")
    fleet = fleets_of(small.changed(**{"venues.file": str(file)}), "center", tmp_path)
    assert [n for n in (100, 400, 600, 800) if fleet(n) is not None] == [400, 800]


# -- the threshold ----------------------------------------------------------------------------


def _tested(decision: Decision, mean: float) -> Trial:
    band = Estimate(9, mean, mean - 0.01, mean + 0.02, 0.97, 1.0)
    return Trial("base", Design(2, 0, 2, 0.1), range(9), {"wait": band}, decision, (), ())


def test_the_threshold_lies_between_where_its_bounds_cross() -> None:
    """Means 0.98, 0.96 against 0.97 at 100 and 200 points: 150; the lower bound is at 0.97 at 100,
    the upper one still above it at 200."""
    trials = {100: _tested(Decision.MET, 0.98), 200: _tested(Decision.UNDECIDED, 0.96)}
    found = threshold(BASE, trials, [_no_wait(0.97)])
    assert found.crossings["wait"] == pytest.approx(150.0)
    low, high = found.between["wait"]
    assert low == pytest.approx(100.0, abs=1e-6)
    assert high == math.inf
    trials[400] = _tested(Decision.MISSED, 0.92)
    found = threshold(BASE, trials, [_no_wait(0.97)])
    assert found.between["wait"][1] == pytest.approx(250.0)


def test_many_numbers_of_points_cost_no_confidence() -> None:
    """One "not met" among others is chance in one of 20; from where on it is not met is told by
    going down from the greatest number, and up to where it is met by going up from the least."""
    met, missed, open_ = Decision.MET, Decision.MISSED, Decision.UNDECIDED
    cases = {
        (met, met, open_, missed, missed): (20, 40),
        (met, missed, met, open_, missed): (10, 50),
        (open_, met, missed, missed, open_): (0, math.inf),
        (missed,) * 5: (0, 10),
        (met,) * 5: (50, math.inf),
    }
    for decisions, expected in cases.items():
        trials = {10 * k: _tested(d, 0.97) for k, d in enumerate(decisions, 1)}
        found = threshold(BASE, trials, [_no_wait(0.97)])
        assert (found.enough, found.too_many) == expected


def test_what_changes_nothing_is_no_driver(small: Scenario) -> None:
    """A scenario whose planned maintenance is every year already has no such driver."""
    from_table = small.model_dump(mode="json", exclude_none=True)["centers"]
    from_table["center"]["maintenance"]["period"] = "1 year"
    names = {}
    for label, scenario in (("as is", small), ("yearly", small.changed(centers=from_table))):
        study = curve(
            cast(Replicator, Made(scenario, 0.98)), SizeSettings(curve=[300, 600]),
            Design(2, 1, 1, 0.1), 600,
        )  # fmt: skip
        assert study is not None
        names[label] = {found.variation.name for found in study.drivers}
    assert names["as is"] - names["yearly"] == {"yearly"}


# -- the whole search, on a made-up center ----------------------------------------------------


class Made:
    """A center whose figures follow from its design by a rule, with a little noise.

    Two people lose 3 % of the messages, three 0.2 %; two maintenance people are enough, and two
    vans, and spares for 2 %. With ``by_duty`` the people of the shift do as well as that crew;
    without ``heartbeats`` no other interval than the vendors' does.
    """

    def __init__(
        self, scenario: Scenario, handling: float, *, by_duty: bool = False,
        heartbeats: bool = True, messages: float = 2000.0,
    ) -> None:  # fmt: skip
        self.scenario, self.center, self.handling = scenario, "center", handling
        self.by_duty, self.heartbeats, self.messages = by_duty, heartbeats, messages

    def run(self, designs: Sequence[Changes], numbers: Sequence[int]) -> list[list[Figures]]:
        """The made-up figures."""
        return [[self._period(design, number) for number in numbers] for design in designs]

    def _period(self, design: Changes, number: int) -> Figures:
        table: Any = design["centers"]["center"]
        people = table["roster"]["duty"] // 4
        noise = np.random.default_rng([3, number]).normal(0, 0.001)
        late = {2: 60.0, 3: 4.0}.get(people, 0.0)
        alarms = 1000.0
        missed = alarms * (1 - self.handling - noise) + (20 if table["vehicles"]["vans"] < 2 else 0)
        spares = float(str(table["spares"]["share"]).rstrip(" %"))
        crew = table["roster"]["maintenance"]
        enough = crew >= 2 or (crew == 0 and self.by_duty)
        if "vendors" in design and not self.heartbeats:
            enough = False
        return {
            "points": 3000.0, "messages": self.messages,
            "alarms": alarms, "handled": alarms - missed,
            "online_rate_platform": 0.999, "online_rate_truth": 0.998,
            "responded_late": 50 + late, "verified_late": 200.0,
            "spares_used": 500.0, "repairs_waiting_for_a_spare": 0.0 if spares >= 0.02 else 40.0,
            "maintenance_timeliness": (0.99 if enough else 0.8) + noise,
        }  # fmt: skip


def _sized(small: Scenario, handling: float, **settings: Any) -> Sizing:
    return size(cast(Replicator, Made(small, handling)), SizeSettings(**settings))


def test_the_people_of_the_shift_may_do_the_maintenance(small: Scenario) -> None:
    """Three who do everything (12) are fewer in all than three and a crew of two (14)."""
    found = size(cast(Replicator, Made(small, 0.98, by_duty=True)), SizeSettings())
    assert found.design == Design(3, 0, 2, 0.02, 86400.0)
    assert found.decision is Decision.MET


def test_heartbeats_that_do_not_hold_leave_the_vendors_own(small: Scenario) -> None:
    """The size that holds with the vendors' interval is not lost for want of another one."""
    made = Made(small, 0.98, heartbeats=False)
    found = size(cast(Replicator, made), SizeSettings.model_validate({"heartbeats": ["2 h"]}))
    assert found.design == Design(3, 2, 2, 0.02)
    assert found.decision is Decision.MET


def test_a_few_messages_do_not_drop_the_deadlines(small: Scenario) -> None:
    """Plenty loses nothing against itself, however few the messages are: the 5 s and the 1 min
    are asked, and what cannot be shown of them is no size."""
    found = size(cast(Replicator, Made(small, 0.98, messages=8.0)), SizeSettings())
    assert {"response", "verification"} <= found.reached
    assert found.design is None


def test_the_search_finds_the_made_up_answer(small: Scenario) -> None:
    """3 people, 2 for maintenance, 2 vans, 2 % of spares, the longest heartbeat; confirmed."""
    found = _sized(small, 0.98)
    assert found.design == Design(3, 2, 2, 0.02, 86400.0)
    assert found.decision is Decision.MET
    assert len(found.reached) == len(found.targets)
    final = found.final
    assert final is not None
    searched = {n for trial in found.trials if trial is not final for n in trial.numbers}
    assert not searched & set(final.numbers)


def test_what_plenty_cannot_reach_is_set_apart(small: Scenario) -> None:
    """A handling rate of 95 % is nobody's fault: it is named, and the rest is still sized."""
    found = _sized(small, 0.95)
    assert "handling" not in found.reached
    assert found.plenty.estimates["handling"].decision is Decision.MISSED
    assert found.final is not None
    assert "handling" not in found.final.estimates
    assert found.design is not None
    assert found.design.people == 3


def test_on_the_line_no_claim_is_made(small: Scenario) -> None:
    """At exactly 97 % handling is undecided with plenty, and left out of what is claimed."""
    found = _sized(small, 0.97)
    assert found.plenty.estimates["handling"].decision is Decision.UNDECIDED
    assert "handling" not in found.reached


def test_nothing_is_enough(small: Scenario) -> None:
    """Where even the most that may be tried loses messages, there is no answer."""
    found = _sized(small, 0.98, people=2)
    assert found.design is None
    assert found.final is None
    assert found.decision is Decision.MISSED
