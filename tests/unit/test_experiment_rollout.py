"""A rollout: who is connected when, and a center that grows until it has what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.center.sizing import SizeSettings
from twin.experiment.design import Design
from twin.experiment.evidence import Decision
from twin.experiment.replicate import Changes, Figures, Replicator
from twin.experiment.rollout import grow
from twin.experiment.size import FRESH
from twin.roads.load import load_roads
from twin.roads.network import RoadNetwork
from twin.roads.settings import RoadSettings
from twin.scenario import Scenario, load_scenario
from twin.streams import Streams
from twin.venues.build import Fleet, Venues, build_venues, connected
from twin.venues.kinds import VENUE_KIND_NAMES
from twin.venues.rollout import SMALL, shares
from twin.venues.settings import StageSettings, VenueSettings

# -- who is connected -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def roads() -> RoadNetwork:
    """The built-in township."""
    return load_roads(RoadSettings())


def _built(roads: RoadNetwork, **given: Any) -> tuple[Venues, Fleet]:
    return build_venues(VenueSettings(points=2000, **given), roads, Streams(3).within("venues"))


def _alarms(venues: Venues, fleet: Fleet) -> int:
    """Smoke alarms in the small premises, counted one by one."""
    small = {VENUE_KIND_NAMES.index(name) for name in SMALL}
    here = fleet.kind_slices["smoke_alarm"]
    return sum(int(venues.kind[v]) in small for v in fleet.venue[here].tolist())


@given(
    st.lists(st.integers(0, len(VENUE_KIND_NAMES) - 1), min_size=1, max_size=60),
    st.dictionaries(st.sampled_from(VENUE_KIND_NAMES), st.floats(0.01, 1.0)),
)
def test_the_first_of_each_kind_are_connected(kinds: list[int], share: dict[str, float]) -> None:
    """Of each kind its share, rounded up, and always the first ones: a larger share adds."""
    kind = np.array(kinds, np.int8)
    now = set(connected(kind, share).tolist())
    later = set(connected(kind, {name: min(1.0, 2 * s) for name, s in share.items()}).tolist())
    assert now <= later
    for number, name in enumerate(VENUE_KIND_NAMES):
        here = np.flatnonzero(kind == number).tolist()
        mine = [venue for venue in here if venue in now]
        assert mine == here[: len(mine)]
        assert len(mine) == pytest.approx(share.get(name, 1.0) * len(here), abs=1.0)
        assert len(mine) >= share.get(name, 1.0) * len(here) - 1e-6


def test_nobody_connected_is_refused() -> None:
    """Nothing to watch is no scenario."""
    with pytest.raises(ValueError, match="no venue is connected"):
        connected(np.zeros(5, np.int8), dict.fromkeys(VENUE_KIND_NAMES, 0.0))


def test_what_is_connected_keeps_its_luck(roads: RoadNetwork) -> None:
    """A venue has the same place, devices and contract, whoever else is connected."""
    everything, all_devices = _built(roads)
    part, devices = _built(roads, connected={"nine_small": 0.4, "enterprise": 0.0})
    at = {name: k for k, name in enumerate(everything.ids)}
    places = [at[name] for name in part.ids]
    np.testing.assert_array_equal(part.x, everything.x[places])
    np.testing.assert_array_equal(part.contract_end_s, everything.contract_end_s[places])
    np.testing.assert_array_equal(part.video, everything.video[places])
    assert set(devices.ids) < set(all_devices.ids)
    assert VENUE_KIND_NAMES.index("enterprise") not in part.kind


@pytest.mark.parametrize("asked", [1, 100, 400])
def test_a_stage_has_the_alarms_it_asks_for(roads: RoadNetwork, asked: int) -> None:
    """At least as many, and no more than one venue of each kind too many (at most 14 alarms)."""
    venues, fleet = _built(roads)
    stage = StageSettings(smoke_alarms=asked, connected={"enterprise": 0.5})
    share = shares(stage, venues, fleet)
    assert share["enterprise"] == 0.5
    assert share["group_rental"] == 1.0
    found = _alarms(*_built(roads, connected=share))
    assert asked <= found <= asked + 14


def test_more_alarms_than_there_are(roads: RoadNetwork) -> None:
    """The message says how many the district has."""
    venues, fleet = _built(roads)
    have = _alarms(venues, fleet)
    share = shares(StageSettings(smoke_alarms=have), venues, fleet)
    assert _alarms(*_built(roads, connected=share)) == have
    with pytest.raises(ValueError, match=f"whole district have {have}"):
        shares(StageSettings(smoke_alarms=have + 1), venues, fleet)


# -- growing ----------------------------------------------------------------------------------


class Center:
    """A made-up center that needs so many people, vans and spares, no fewer."""

    def __init__(self, scenario: Scenario, needs: Design) -> None:
        self.scenario, self.center, self.needs = scenario, "center", needs

    def run(self, designs: Sequence[Changes], numbers: Sequence[int]) -> list[list[Figures]]:
        """The made-up figures."""
        return [[self._period(design, number) for number in numbers] for design in designs]

    def _period(self, design: Changes, number: int) -> Figures:
        table: Any = design["centers"]["center"]
        needs = self.needs
        noise = np.random.default_rng([5, number]).normal(0, 0.001)
        short = table["roster"]["duty"] < 4 * needs.people
        handled = 0.985 + noise - (0.0 if table["vehicles"]["vans"] >= needs.vans else 0.05)
        crew = table["roster"]["maintenance"] >= needs.maintenance
        enough = table["spares"]["share"] >= needs.spares
        return {
            "messages": 4000.0, "alarms": 3000.0, "handled": 3000.0 * handled,
            "online_rate_platform": 0.999, "online_rate_truth": 0.998,
            "responded_late": 160.0 if short else 100.0, "verified_late": 300.0,
            "spares_used": 900.0, "repairs_waiting_for_a_spare": 0.0 if enough else 90.0,
            "maintenance_timeliness": 0.99 if crew else 0.9,
        }  # fmt: skip


_SCENARIO = load_scenario("township", ["venues.points=600"])
_ASKED = SizeSettings(first=6, replications=12, people=4, vans=3, spares=[0.01, 0.02, 0.05])


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(2, 4), st.integers(1, 6), st.integers(1, 3)),
    st.sampled_from([0.01, 0.02, 0.05]),
    st.tuples(st.integers(2, 5), st.integers(1, 8), st.integers(1, 4)),
)
def test_a_center_grows_to_what_it_needs(
    needs: tuple[int, int, int], spares: float, has: tuple[int, int, int]
) -> None:
    """Of each part what it has, or what it needs where that is more; nothing is taken away."""
    center = Center(_SCENARIO, Design(*needs, spares))
    start = Design(*has, 0.01)
    trial, unreached = grow(cast(Replicator, center), _ASKED, start, 6000)
    assert unreached == ()
    assert trial.decision is Decision.MET
    assert min(trial.numbers) >= FRESH  # said by periods that have not led to the size
    grown = trial.design
    assert (grown.people, grown.vans) == (max(needs[0], has[0]), max(needs[2], has[2]))
    assert grown.spares == spares
    # a crew grows by a third at a time
    assert max(needs[1], has[1]) <= grown.maintenance <= max(has[1], needs[1] + needs[1] // 3 + 1)


def test_a_center_that_may_not_grow_enough_says_so() -> None:
    """With fewer people than it needs at most, the size is not shown to be enough."""
    center = Center(_SCENARIO, Design(6, 1, 1, 0.01))
    trial, unreached = grow(cast(Replicator, center), _ASKED, Design(2, 1, 1, 0.01), 6000)
    assert unreached == ()
    assert trial.design.people == 4
    assert trial.decision is Decision.MISSED
