"""Random streams: named by what they are for, never shifted by what else is drawn."""

from __future__ import annotations

import hashlib
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twin.streams import Streams, uniform_at, uniforms_at

name = st.lists(st.one_of(st.sampled_from("ab"), st.integers(0, 3)), min_size=1, max_size=3)


@given(st.lists(st.tuples(name, st.integers(0, 5)), max_size=8), st.randoms())
def test_order_of_consumption_does_not_matter(
    draws: list[tuple[list[str | int], int]], rnd: Random
) -> None:
    streams = Streams(7)

    def taken(order: list[int]) -> dict[int, list[float]]:
        return {i: streams.generator(*draws[i][0]).random(draws[i][1]).tolist() for i in order}

    order = list(range(len(draws)))
    shuffled = order.copy()
    rnd.shuffle(shuffled)
    assert taken(order) == taken(shuffled)


def test_one_more_entity_does_not_change_the_others() -> None:
    few, many = (Streams(1).generator("fault", "smoke_alarm", 0).random(n) for n in (10, 11))
    assert np.array_equal(few, many[:10])


def test_names_seeds_and_rounds_tell_streams_apart() -> None:
    streams = [
        Streams(1).generator("fault", 0),
        Streams(2).generator("fault", 0),
        Streams(1).generator("fault", 1),
        Streams(1).generator("fault"),
        Streams(1).generator("fault0"),
        Streams(1).within("east").generator("fault", 0),
        Streams(1).within("west").generator("fault", 0),
        Streams(1).generator("faul", "t", 0),
    ]
    draws = [generator.random(4).tolist() for generator in streams]
    assert len({tuple(draw) for draw in draws}) == len(draws)


def test_a_scope_is_part_of_the_name() -> None:
    inside = Streams(3).within("east").generator("fault", 0).random(5)
    assert np.array_equal(inside, Streams(3).within("east").generator("fault", 0).random(5))
    assert np.array_equal(inside, Streams(3, ("east",)).generator("fault", 0).random(5))


def test_streams_are_uncorrelated() -> None:
    n = 20_000
    a, b, c = (Streams(1).generator("gap", k).random(n) for k in range(3))
    # Three standard errors of a correlation of independent columns.
    assert np.abs(np.corrcoef([a, b, c])[np.triu_indices(3, 1)]).max() < 3 / np.sqrt(n)


def test_a_stream_is_the_same_on_every_machine_and_in_every_year() -> None:
    # A change here changes every log of every seed.
    draw = Streams(1).generator("fault", "smoke_alarm", 0).random()
    assert draw == Streams(1).generator("fault", "smoke_alarm", 0).random()
    assert draw == DRAW


@given(st.integers(0, 2**200))
def test_a_stream_is_that_of_the_seed_with_the_hash_of_its_name_as_spawn_key(seed: int) -> None:
    digest = hashlib.blake2b(b"fault\x1f7", digest_size=16).digest()
    key = tuple(int.from_bytes(digest[k : k + 4], "little") for k in range(0, 16, 4))
    sequence = np.random.SeedSequence(seed, spawn_key=key)
    expected = np.random.Generator(np.random.PCG64(sequence)).random(3)
    assert np.array_equal(Streams(seed).generator("fault", 7).random(3), expected)


DRAW = 0.0025302241777861445
"""First draw of PCG64 seeded with SeedSequence(1, spawn_key = BLAKE2b-128 of the name)."""


def test_draws_by_number_are_those_of_splitmix64() -> None:
    # Published outputs for the seed 1234567 (Rosetta Code, after Vigna's splitmix64.c).
    published = [
        6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
        16408922859458223821,
    ]  # fmt: skip
    keys = np.full(5, 1234567, np.uint64)
    drawn = uniforms_at(keys, np.arange(5))
    assert drawn.tolist() == [(word >> 11) * 2.0**-53 for word in published]
    assert [uniform_at(1234567, n) for n in range(5)] == drawn.tolist()


@given(st.integers(0, 2**64 - 1), st.integers(-(2**40), 2**40))
def test_one_draw_by_number_is_that_of_the_array(key: int, number: int) -> None:
    one = uniforms_at(np.array([key], np.uint64), np.array([number]))
    assert one.tolist() == [uniform_at(key, number)]
