"""All that is served but the ingest, in one list: routes, rights and the document rest on it."""

from __future__ import annotations

from twin.alarmcore.annexb.apis import GET_TOKEN
from twin.alarmcore.annexb.codes import PREFIX, ReturnCode
from twin.alarmcore.annexb.messages import Credentials, Token
from twin.alarmcore.service import commands, console, operation, pushes, record, upkeep, views
from twin.alarmcore.service.endpoint import Call, Endpoint, Refused
from twin.alarmcore.service.tokens import Role, issue_vendor_token
from twin.alarmcore.store.audit import write_audit

ANYBODY = frozenset[Role]()


async def get_token(call: Call) -> Token:
    """A vendor's new token (B.4.1)."""
    core = call.core
    async with core.pool.acquire() as db, db.transaction():
        issued = await issue_vendor_token(db, core.seal, call.body.appkey, call.body.master_secret)
        if not isinstance(issued, str):
            name = await db.fetchval("SELECT name FROM vendor WHERE id = $1", issued[0])
            now = core.clock.now()
            await write_audit(db, now, name, Role.VENDOR, call.name, call.address)
    if isinstance(issued, str):
        if issued == "appkey":
            raise Refused(401, ReturnCode.UNKNOWN_APPKEY, "the appkey is not known")
        raise Refused(401, ReturnCode.WRONG_SECRET, "appkey and masterSecret do not match")
    core.gate.forget()
    return Token(issued[1])


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST", PREFIX + GET_TOKEN.path, GET_TOKEN.name, "A vendor's new token",
        ANYBODY, get_token, request=Credentials, answer=Token,
    ),
    *pushes.ENDPOINTS,
    *console.ENDPOINTS,
    *commands.ENDPOINTS,
    *upkeep.ENDPOINTS,
    *record.ENDPOINTS,
    *views.ENDPOINTS,
    Endpoint(
        "GET", "/healthz", "getHealth", "Whether the service keeps its promises just now",
        ANYBODY, operation.health, answer=operation.Health,
    ),
    Endpoint(
        "GET", "/metrics", "getMetrics", "Counts of all workers on the database, for Prometheus",
        ANYBODY, operation.metrics, bare="text/plain",
    ),
    Endpoint(
        "GET", "/openapi.json", "getDocument", "This document",
        ANYBODY, operation.published, bare="application/json",
    ),
)  # fmt: skip
