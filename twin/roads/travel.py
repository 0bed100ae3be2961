"""Travel times and distances by road, at any hour of the week, for vans and fire engines."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from twin.roads.network import RoadNetwork
from twin.roads.settings import ROAD_CLASSES, RoadSettings

Floats = NDArray[np.float64]

HOURS_OF_WEEK = 168
_FREE_FLOW = -1
_BLOCK = 2_000_000  # times held at once in float64 while a large matrix is made
_FEW = 3  # neighbours of a node that can be left out without more edges: a star becomes a triangle


class TravelTimes:
    """Shortest times and distances on a network.

    The time of an edge is its length by speed, times the slow-down of its road class in that hour,
    plus the junction delay if it enters a junction; a trip adds the time lost by starting and
    stopping. A fire engine has its own speeds (not bound by maxspeed), loses only a share of the
    congestion's extra time, has a smaller junction delay, and may use one-way streets both ways.

    Hours of one congestion pattern share one CSR matrix, which is built when it is first asked for.

    Parameters
    ----------
    network : the roads.
    settings : speeds of engines, congestion, delays.
    """

    def __init__(self, network: RoadNetwork, settings: RoadSettings) -> None:
        self.network = network
        self.settings = settings
        periods = list(settings.congestion.values())
        self._slowdown = [
            np.array([_factor(period.slowdown, name) for name in ROAD_CLASSES])
            for period in periods
        ]
        self._pattern = np.full(HOURS_OF_WEEK, _FREE_FLOW)
        for number, period in enumerate(periods):
            # periods with equal factors are one pattern
            same = next(k for k in range(number + 1) if periods[k].slowdown == period.slowdown)
            self._pattern[period.hours()] = same
        engine = np.array([settings.engine_speeds[name] for name in ROAD_CLASSES])
        self._engine_speed = np.minimum(
            np.maximum(engine[network.road_class], network.speed), settings.engine_top_speed
        )
        self._graphs: dict[tuple[int, bool], csr_array] = {}
        self._lengths: csr_array | None = None

    def seconds(self, sources: ArrayLike, hour: int | None = None, engine: bool = False) -> Floats:
        """Time from each source to every node.

        Parameters
        ----------
        sources : node indices.
        hour : hour of the week, 0 (Monday 0 h) to 167; None is free flow.
        engine : a fire engine instead of an ordinary vehicle.

        Returns
        -------
        array (sources, nodes), s; inf where no road leads.
        """
        return self._times(self._graph(self.pattern(hour), engine), sources, engine)

    def seconds_to(
        self, targets: ArrayLike, hour: int | None = None, engine: bool = False
    ) -> Floats:
        """Time from every node to each target; as :meth:`seconds`, array (targets, nodes)."""
        graph = self._graph(self.pattern(hour), engine)
        return self._times(csr_array(graph.T), targets, engine)

    def metres(self, sources: ArrayLike) -> Floats:
        """Shortest distance by road from each source to every node, (sources, nodes), m.

        For ordinary vehicles; the shortest way, which need not be the fastest.
        """
        if self._lengths is None:
            use = ~self.network.contraflow
            self._lengths = self._matrix(self.network.length, use)
        return _dijkstra(self._lengths, sources)

    def worst_hour(self, source: int, targets: ArrayLike) -> tuple[int, Floats]:
        """The hour of the week in which the farthest of the targets is farthest in time.

        Parameters
        ----------
        source : node of the center.
        targets : node indices.

        Returns
        -------
        hour : the first such hour of the week, Monday 0 h is 0.
        times : seconds to each target in that hour.
        """
        nodes = np.asarray(targets, int)
        best: tuple[float, int, Floats] | None = None
        # ascending hours and a strict comparison: the first of equally bad hours
        for hour in sorted(int(np.argmax(self._pattern == k)) for k in np.unique(self._pattern)):
            times = self.seconds([source], hour)[0][nodes]
            reached = times[np.isfinite(times)]
            worst = float(reached.max()) if len(reached) else 0.0
            if best is None or worst > best[0]:
                best = (worst, hour, times)
        assert best is not None  # a week has hours
        return best[1], best[2]

    def slowest_hours(self) -> list[int]:
        """An hour of each traffic pattern that can be the slowest for some trip, ascending.

        A pattern that slows every road class down at least as much as another makes every trip at
        least as slow, so the other one need not be looked at.
        """
        first: dict[int, int] = {}
        for hour, pattern in enumerate(self._pattern.tolist()):
            first.setdefault(pattern, hour)
        free = np.ones(len(ROAD_CLASSES))
        factors = {k: free if k == _FREE_FLOW else self._slowdown[k] for k in first}
        return sorted(
            first[k]
            for k, mine in factors.items()
            if not any(
                np.all(theirs >= mine) and (bool(np.any(theirs > mine)) or other < k)
                for other, theirs in factors.items()
                if other != k
            )
        )

    def edge_seconds(self, hour: int | None = None) -> tuple[Floats, Floats]:
        """What each edge costs an ordinary vehicle: driving it, and the junction at its end, s."""
        pattern = self.pattern(hour)
        driving = self.network.length / self.network.speed
        if pattern != _FREE_FLOW:
            driving = driving * self._slowdown[pattern][self.network.road_class]
        at_end = self.network.junction[self.network.end].astype(float)
        return driving, self.settings.junction_delay * at_end

    def between(self, nodes: ArrayLike, engine: bool = False) -> NDArray[np.float32]:
        """Free-flow times among k nodes, (k, k), s: row from, column to."""
        nodes = np.asarray(nodes, int)
        graph, at = _without_passed(self._graph(_FREE_FLOW, engine), nodes)
        times = np.empty((len(nodes), len(nodes)), np.float32)
        step = max(1, _BLOCK // graph.shape[0])
        for first in range(0, len(nodes), step):
            part = at[first : first + step]
            times[first : first + step] = self._times(graph, part, engine)[:, at]
        return times

    def hour_factor(self, hour: int) -> float:
        """Mean slow-down of ordinary traffic in that hour, weighted by road length, at least 1."""
        pattern = self.pattern(hour)
        if pattern == _FREE_FLOW:
            return 1.0
        factor = self._slowdown[pattern][self.network.road_class]
        use = ~self.network.contraflow
        return float(np.average(factor[use], weights=self.network.length[use]))

    def pattern(self, hour: int | None) -> int:
        """The congestion pattern of an hour; hours of one pattern have the same times."""
        if hour is None:
            return _FREE_FLOW
        if not 0 <= hour < HOURS_OF_WEEK:
            raise ValueError(f"hour = {hour}: an hour of the week from 0 to 167 is expected")
        return int(self._pattern[hour])

    def _graph(self, pattern: int, engine: bool) -> csr_array:
        """The time of every edge as a sparse matrix, made once."""
        known = self._graphs.get((pattern, engine))
        if known is not None:
            return known
        network, settings = self.network, self.settings
        speed = self._engine_speed if engine else network.speed
        seconds = network.length / speed
        if pattern != _FREE_FLOW:
            extra = self._slowdown[pattern][network.road_class] - 1.0
            seconds = seconds * (1.0 + extra * (settings.engine_congestion if engine else 1.0))
        delay = settings.engine_junction_delay if engine else settings.junction_delay
        seconds = seconds + delay * network.junction[network.end]
        use = np.ones(len(seconds), bool) if engine else ~network.contraflow
        graph = self._matrix(seconds, use)
        self._graphs[pattern, engine] = graph
        return graph

    def _matrix(self, weight: Floats, use: NDArray[np.bool_]) -> csr_array:
        # a network has one edge per pair of nodes: CSR would add parallel ones up
        n = len(self.network)
        edges = (self.network.start[use], self.network.end[use])
        return csr_array((weight[use], edges), shape=(n, n))

    def _times(self, graph: csr_array, nodes: ArrayLike, engine: bool) -> Floats:
        settings = self.settings
        times = _dijkstra(graph, nodes)
        times[times > 0] += settings.engine_start_stop if engine else settings.start_stop
        return times


def _factor(slowdown: dict[str, float], road_class: str) -> float:
    return slowdown.get(road_class, slowdown.get(road_class.removesuffix("_link"), 1.0))


def _without_passed(
    graph: csr_array, wanted: NDArray[np.int_]
) -> tuple[csr_array, NDArray[np.int_]]:
    """A smaller graph with the same shortest ways among the wanted nodes, and their new numbers.

    A node with few neighbours that nobody asks for is only passed: its ways become edges.
    """
    edges = graph.tocoo()
    ahead: list[dict[int, float]] = [{} for _ in range(graph.shape[0])]
    behind: list[dict[int, float]] = [{} for _ in range(graph.shape[0])]
    for start, end, weight in zip(
        edges.row.tolist(), edges.col.tolist(), edges.data.tolist(), strict=True
    ):
        ahead[start][end] = behind[end][start] = weight
    kept = np.zeros(graph.shape[0], bool)
    kept[wanted] = True
    passed = np.zeros(graph.shape[0], bool)
    waiting = np.flatnonzero(~kept).tolist()
    while waiting:
        node = waiting.pop()
        before, after = behind[node], ahead[node]
        near = before.keys() | after.keys()
        if passed[node] or len(near) > _FEW:
            continue
        passed[node] = True
        for start in before:
            del ahead[start][node]
        for end in after:
            del behind[end][node]
        for start, first in before.items():
            for end, second in after.items():
                if start != end and first + second < ahead[start].get(end, inf):
                    ahead[start][end] = behind[end][start] = first + second
        waiting += [other for other in near if not kept[other]]
    left = np.flatnonzero(~passed)
    number = np.cumsum(~passed) - 1
    starts = np.repeat(np.arange(len(left)), [len(ahead[node]) for node in left.tolist()])
    ends = number[[end for node in left.tolist() for end in ahead[node]]]
    weights = [weight for node in left.tolist() for weight in ahead[node].values()]
    return csr_array((weights, (starts, ends)), shape=(len(left), len(left))), number[wanted]


def _dijkstra(graph: csr_array, sources: ArrayLike) -> Floats:
    indices = np.atleast_1d(np.asarray(sources, int))
    return np.atleast_2d(np.asarray(dijkstra(graph, directed=True, indices=indices)))
