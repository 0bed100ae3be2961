"""Modbus poll cycles against the published arithmetic (Modbus over serial line V1.02)."""

import numpy as np
import pytest

from twin.network.rs485 import (
    alarm_delay_s,
    dead_known_delay_s,
    exchange_s,
    poll_cycle_s,
    silence_s,
    silent_poll_s,
)


@pytest.mark.parametrize(("registers", "published"), [(10, 2.9), (40, 4.9), (125, 10.6)])
def test_cycle_of_32_slaves_at_9600_8n1(registers: int, published: float) -> None:
    assert round(poll_cycle_s(32, registers), 1) == published


def test_a_dead_slave_adds_three_seconds() -> None:
    assert round(poll_cycle_s(32, 10, dead=1) - poll_cycle_s(31, 10), 1) == 3.0
    assert poll_cycle_s(32, 10, dead=2) - poll_cycle_s(32, 10) == pytest.approx(6.0, abs=0.2)


def test_silence_between_frames() -> None:
    assert silence_s(9600, 11) == pytest.approx(4.01e-3, abs=1e-5)
    assert silence_s(19_200, 11) == pytest.approx(2.005e-3, abs=1e-5)
    assert silence_s(38_400, 11) == silence_s(115_200, 10) == 1.75e-3


def test_parity_makes_every_frame_a_tenth_longer() -> None:
    assert exchange_s(10, bits=11, answer_s=0.0) == pytest.approx(
        1.1 * exchange_s(10, bits=10, answer_s=0.0)
    )


@pytest.mark.parametrize("registers", [0, 126])
def test_a_frame_holds_125_registers(registers: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 125 registers, {registers}"):
        exchange_s(registers)


@pytest.mark.parametrize("dead", [-1, 33])
def test_more_dead_slaves_than_slaves(dead: int) -> None:
    with pytest.raises(ValueError, match="from 0 to 32"):
        poll_cycle_s(32, 10, dead=dead)


def test_delays_against_a_bus_that_is_polled_one_by_one() -> None:
    slaves, shown_by, poll = 32, 7, exchange_s(10)
    cycle = poll_cycle_s(slaves, 10)
    shown_at = np.random.default_rng(1).uniform(0.0, 1000 * cycle, 20_000)
    turns = shown_by * poll + cycle * np.arange(1002)
    begun = turns[np.searchsorted(turns, shown_at)]
    uniforms = np.random.default_rng(2).random(20_000)
    for counted, modelled in (
        (begun + poll - shown_at, alarm_delay_s(cycle, uniforms, poll)),
        (
            begun + 3 * (1.0 + 8 * 10 / 9600 + 3.5 * 10 / 9600) - shown_at,
            dead_known_delay_s(cycle, uniforms, silent_poll_s()),
        ),
    ):
        quantiles = np.linspace(0, 1, 11)
        assert np.allclose(
            np.quantile(counted, quantiles), np.quantile(modelled, quantiles), atol=0.03 * cycle
        )
