"""What several tests share: an environment, and a way to read a log's rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import simpy

from twin.log import KINDS, VIEWS, Log, LogWriter
from twin.terms import Kind, View


class Row(NamedTuple):
    """A row of a log in plain words; ``time`` is microseconds since 1970-01-01 UTC."""

    time: int
    center: str
    subject: str
    kind: Kind
    view: View
    message: int
    alarm: int
    value: float
    text: str


def rows_of(log: Log | LogWriter) -> list[Row]:
    """The rows of a log in order; those that a writer has so far."""
    if isinstance(log, LogWriter):
        log = log.finish()
    return [
        Row(time, center, subject, KINDS[kind], VIEWS[view], message, alarm, value, text)
        for time, center, subject, kind, view, message, alarm, value, text in zip(
            log.time.tolist(),
            log.center.array().tolist(),
            log.subject.array().tolist(),
            log.kind.tolist(),
            log.view.tolist(),
            log.message.tolist(),
            log.alarm.tolist(),
            log.value.tolist(),
            log.text.array().tolist(),
            strict=True,
        )
    ]


@pytest.fixture
def env() -> simpy.Environment:
    return simpy.Environment()


@pytest.fixture
def log() -> LogWriter:
    """A center's log that begins at 1970-01-01 UTC, so that its times are the run's."""
    return LogWriter("center", 0)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running alarm core and everybody's tokens, for the tests in ``core`` that only call it."""
    from served_support import serving

    with serving(tmp_path_factory.mktemp("served")) as running:
        yield running
