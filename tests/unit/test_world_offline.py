"""Flags as the platform has them, and the tickets that nobody works on."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest

from twin.world.offline import _news_supersedes, _tickets

Times = list[tuple[float, float]]


def test_the_end_of_a_later_flag_ends_the_earlier_ones_too() -> None:
    # The push of the first end was lost and its pull is at 100; the later flag's end came at 70.
    device = np.array([0, 0, 0, 1, 1])
    gone = np.array([100.0, 70.0, 90.0, 50.0, 40.0])
    _news_supersedes(device, gone)
    assert gone.tolist() == [70.0, 70.0, 90.0, 40.0, 40.0]


@pytest.mark.parametrize(
    ("jobs", "tickets"),
    [
        ([], [(10.0, 30.0), (50.0, 60.0)]),
        ([(20.0, 25.0)], [(10.0, 20.0), (50.0, 60.0)]),  # goes on under the job's ticket
        ([(10.0, 25.0)], [(50.0, 60.0)]),  # the job has it from the start
        ([(10.0000001, 25.0)], [(50.0, 60.0)]),  # rounding
        ([(5.0, inf)], []),  # and all that follows while it is open
        ([(40.0, 45.0)], [(10.0, 30.0), (50.0, 60.0)]),
    ],
)
def test_one_ticket_for_a_flag_and_one_at_a_time(jobs: Times, tickets: Times) -> None:
    platform = (np.array([3, 3, 7]), np.array([10.0, 50.0, 10.0]), np.array([30.0, 60.0, 30.0]))
    cause = np.array([0, 1, 2])
    (device, opened, closed), which = _tickets(platform, cause, [(3, a, b) for a, b in jobs])
    found = list(zip(device.tolist(), opened.tolist(), closed.tolist(), strict=True))
    assert found == [(3, a, b) for a, b in tickets] + [(7, 10.0, 30.0)]
    assert cause[which].tolist() == [{10.0: 0, 50.0: 1}[a] for a, _ in tickets] + [2]


def test_a_flag_for_which_somebody_has_to_go_has_no_ticket_of_its_own() -> None:
    platform = (np.array([3, 4]), np.array([10.0, 50.0]), np.array([30.0, 60.0]))
    (device, _, _), which = _tickets(platform, np.array([-1, 2]), [])
    assert device.tolist() == [4]
    assert which.tolist() == [1]
