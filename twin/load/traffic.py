"""What a fleet sends to an alarm core, and when: events for API 22, arrival times, real days."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Event = dict[str, Any]
"""An event of API 22 as the JSON object that is sent."""


class Mix(NamedTuple):
    """Shares of the kinds of event; what is left are device states."""

    fire: float = 0.05
    fault: float = 0.15


def events(
    count: int,
    devices: Sequence[str],
    seed: int,
    mix: Mix = Mix(),  # noqa: B008 - immutable
    *,
    prefix: str = "m",
    began: datetime | None = None,
) -> list[Event]:
    """Events of some 400 bytes each, of devices drawn at random, fires spread evenly at random.

    Parameters
    ----------
    count : how many.
    devices : the vendor's own ids of its devices.
    seed : the same seed gives the same events.
    mix : shares of the kinds.
    prefix : begins every message id, which goes on with the seed and a number.
    began : time of the first event; the others follow by the millisecond. Default: now.

    Returns
    -------
    The events in the order in which they should be sent.
    """
    draw = np.random.default_rng([seed, 22])
    who = draw.integers(len(devices), size=count).tolist()
    kind = draw.random(count).tolist()
    raw = draw.random((count, 4))
    voltage = np.round(2.6 + raw[:, 0], 3).tolist()
    celsius = np.round(-5.0 + 45.0 * raw[:, 1], 2).tolist()
    obscuration = np.round(0.12 * raw[:, 2], 4).tolist()
    rsrp = np.round(-125.0 + 50.0 * raw[:, 3], 1).tolist()
    start = began or datetime.now(UTC)
    # One formatted time per second: formatting each would be most of the work.
    seconds = [
        (start + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")
        for second in range(count // 1000 + 1)
    ]
    made: list[Event] = []
    for number in range(count):
        event: Event = {
            "messageId": f"{prefix}-{seed}-{number:08d}",
            "deviceId": devices[who[number]],
            "type": "state",
            "time": f"{seconds[number // 1000]}.{number % 1000:03d}+00:00",
            "parameters": {
                "batteryVoltage": voltage[number],
                "temperature": celsius[number],
                "smokeObscuration": obscuration[number],
                "referenceSignalReceivedPower": rsrp[number],
                "chamberContamination": round(3.0 * obscuration[number], 4),
                "secondsSinceSelfTest": 60 * who[number],
                "coverageEnhancementLevel": who[number] % 3,
                "retransmissions": number % 4,
                "firmware": 10203,
            },
        }
        if kind[number] < mix.fire:
            event["type"] = "fire"
            event["category"] = "fire"
            event["value"] = round(0.15 + obscuration[number], 4)
        elif kind[number] < mix.fire + mix.fault:
            event["type"] = "fault"
            event["what"] = ("low_battery", "sensor", "tamper")[number % 3]
            event["phase"] = "end" if number & 1 else "begin"
        made.append(event)
    return made


def encode(event: Event | Sequence[Event]) -> bytes:
    """The body of a push: one event or a list of them, without spaces."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def pushes(made: Sequence[Event], size: int) -> Iterator[Sequence[Event]]:
    """The events in lists of ``size``, the last one shorter."""
    for first in range(0, len(made), size):
        yield made[first : first + size]


# -- when ---------------------------------------------------------------------------------------


def steady(rate: float, seconds: float, seed: int) -> npt.NDArray[np.float64]:
    """Poisson arrivals at ``rate`` per second, as seconds from the start, sorted.

    Their number is that of the rate, not drawn: as many arrivals in every run.
    """
    draw = np.random.default_rng([seed, 5])
    return np.sort(draw.random(round(rate * seconds)) * seconds)


class TraceDay(NamedTuple):
    """A piece of a real alarm receiver's day.

    Parameters
    ----------
    due : arrival times, seconds from the start of the piece, sorted.
    fire : which of them are alarm messages.
    """

    due: npt.NDArray[np.float64]
    fire: npt.NDArray[np.bool_]


def trace(path: Path, first: float, seconds: float, speed: float, seed: int) -> TraceDay:
    """Arrivals of a recorded day from second ``first`` of the day on, run ``speed`` times as fast.

    The record counts messages by the second; within its second each is put at random. Alarms are
    the difference of its two columns, which may be off by a few in a single second but holds over
    minutes (see the record's README).

    Parameters
    ----------
    path : CSV, gzipped: ``time``, ``messages``, ``messages_without_alarms``.
    first, seconds : the piece of the day, in seconds of the record.
    speed : 1 is real time.
    seed : of the places within the seconds.

    Raises
    ------
    ValueError
        When the file has no such columns, or nothing arrived in the piece.
    """
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"time", "messages", "messages_without_alarms"} <= rows[0].keys():
        raise ValueError(
            f"{path}: columns time, messages and messages_without_alarms are needed, "
            f"found {', '.join(rows[0]) if rows else 'no row'}"
        )
    draw = np.random.default_rng([seed, 6])
    due: list[npt.NDArray[np.float64]] = []
    fire: list[npt.NDArray[np.bool_]] = []
    owed = 0
    for row in rows:
        hours, minutes, secs = row["time"][11:].split(":")
        at = int(hours) * 3600 + int(minutes) * 60 + int(secs)
        if not first <= at < first + seconds:
            continue
        messages = int(row["messages"])
        # A second with fewer messages than its plain ones owes the difference to the next ones.
        owed += messages - int(row["messages_without_alarms"])
        alarms = min(max(owed, 0), messages)
        owed -= alarms
        is_fire = np.zeros(messages, np.bool_)
        is_fire[:alarms] = True
        due.append((at - first + np.sort(draw.random(messages))) / speed)
        fire.append(draw.permutation(is_fire))
    if not due:
        raise ValueError(
            f"{path}: nothing arrived from second {first:g} to {first + seconds:g} of the day"
        )
    return TraceDay(np.concatenate(due), np.concatenate(fire))
