"""The account of every message: what was sent, what was answered, and what is there afterwards.

The rule is one sentence: *what was acknowledged is there once and unchanged, and nothing is there
that was not sent*. What was sent and not acknowledged may be there, once, or not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from twin.load.driver import NO_ANSWER, Load
from twin.load.traffic import Event

NOT_EXERCISED = (
    "power loss of the machine: what PostgreSQL had handed to the operating system survives a "
    "killed process whether it was flushed or not",
    "torn pages and sectors that go bad: the disk stayed what it was",
    "a disk or hypervisor that lies about fsync",
    "the network between vendor and core: connections broke only because a process did",
    "a second host on the same database",
)
"""What killing processes cannot show; a report of it says so."""

_SHOWN = 5


class Findings(NamedTuple):
    """What the read-back says of the messages.

    Parameters
    ----------
    acknowledged : messages that were acknowledged.
    present : messages that are there, acknowledged or not.
    unanswered_present : of these, those that were never acknowledged; that is allowed.
    lost : acknowledged and not there.
    duplicated : there more than once.
    changed : there, and not as it was sent.
    strange : there, and never sent.
    """

    acknowledged: int
    present: int
    unanswered_present: int
    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    changed: tuple[str, ...]
    strange: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the core kept its promise."""
        return not (self.lost or self.duplicated or self.changed or self.strange)

    def __str__(self) -> str:
        text = (
            f"{self.acknowledged} acknowledged, {self.present} there "
            f"({self.unanswered_present} of them never acknowledged)"
        )
        for name in ("lost", "duplicated", "changed", "strange"):
            ids = getattr(self, name)
            if ids:
                text += f"; {len(ids)} {name}: {', '.join(ids[:_SHOWN])}"
        return text


class Account:
    """The account of one vendor's messages over any number of load runs and read-backs.

    Attributes
    ----------
    events : every message that was handed to a load run, by its id, in the order of the first.
    acknowledged : ids of those that were acknowledged at least once.
    answers : number of answers by HTTP status; :data:`twin.load.driver.NO_ANSWER` is a request
        that was sent and got none.
    refused_without_retry : answers 502 that lacked the header Retry-After.
    """

    def __init__(self) -> None:
        self.events: dict[str, Event] = {}
        self.acknowledged: set[str] = set()
        self.answers: Counter[int] = Counter()
        self.refused_without_retry = 0
        self._present: Counter[str] = Counter()
        self._changed: set[str] = set()

    def settle(self, sent: Sequence[Sequence[Event]], load: Load) -> None:
        """Enter a load run: the events of each request, and what came of the requests.

        Raises
        ------
        ValueError
            When an id stands for two different events, or an acknowledgement does not add up.
        """
        for part, was_sent, status, body, retry in zip(
            sent, (load.sent >= 0).tolist(), load.status.tolist(), load.body,
            load.retry_after.tolist(), strict=True,
        ):  # fmt: skip
            if not was_sent:
                continue
            for event in part:
                if self.events.setdefault(event["messageId"], event) != event:
                    raise ValueError(f"two events have the id {event['messageId']}")
            self.answers[status] += 1
            if acknowledged(status, body):
                _adds_up(len(part), body)
                self.acknowledged.update(event["messageId"] for event in part)
            elif status == 502 and not retry:
                self.refused_without_retry += 1

    @property
    def unacknowledged(self) -> list[Event]:
        """What a vendor has to send again."""
        return [event for own, event in self.events.items() if own not in self.acknowledged]

    @property
    def unanswered(self) -> int:
        """Requests whose connection broke before their answer."""
        return self.answers[NO_ANSWER]

    def read_back(self, stored: Iterable[Mapping[str, Any]]) -> None:
        """Enter what the core says it has: ``messageId`` and ``event`` of each."""
        for entry in stored:
            own = entry["messageId"] or str(entry["event"])
            self._present[own] += 1
            if own in self.events and entry["event"] != self.events[own]:
                self._changed.add(own)

    def read_anew(self) -> None:
        """Forget what was read: the next read-back is whole."""
        self._present.clear()
        self._changed.clear()

    def findings(self) -> Findings:
        """The account as far as it was read back."""
        present = self._present
        return Findings(
            len(self.acknowledged),
            sum(present.values()),
            sum(own not in self.acknowledged for own in present),
            tuple(sorted(self.acknowledged - present.keys())),
            tuple(own for own, times in present.items() if times > 1),
            tuple(sorted(self._changed)),
            tuple(own for own in present if own not in self.events),
        )


def acknowledged(status: int, body: bytes) -> bool:
    """Whether an answer says that the push is kept: 200 and 000000 (tables B.1 and B.2)."""
    return status == 200 and b'"code":"000000"' in body


def _adds_up(count: int, body: bytes) -> None:
    told = json.loads(body)["data"]
    if told["accepted"] + told["repeated"] + told["quarantined"] != count:
        raise ValueError(f"{count} events were pushed, the answer tells of {told}")
