"""Beside the alarms: maintenance tickets, complaints, the quarantine, the audit trail."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from twin.alarmcore.annexb.messages import Name
from twin.alarmcore.service.console import OPERATORS, READERS, Text
from twin.alarmcore.service.endpoint import Call, Endpoint, nothing, wrong
from twin.alarmcore.service.pages import Listing, read_page
from twin.alarmcore.service.parameters import OPEN, PAGE
from twin.alarmcore.service.tokens import Role
from twin.terms import Kind, Ticket

MANAGERS = frozenset({Role.MANAGER})
AUDITORS = frozenset({Role.AUDITOR})
_STAFF = OPERATORS | MANAGERS


# -- tickets (6.5, 8.1) --------------------------------------------------------------------------


class TicketLine(msgspec.Struct):
    """A maintenance ticket; times are seconds since 1970-01-01 UTC."""

    id: str
    device: str
    kind: str
    opened: float
    due: float | None
    missed: bool
    finding: str | None
    closed: float | None


class Tickets(msgspec.Struct):
    """A page of tickets."""

    tickets: list[TicketLine]
    next: str | None


class TicketWork(msgspec.Struct, frozen=True):
    """What was found (6.5 asks for it where a device was offline), and whether it is done."""

    finding: Annotated[str, Meta(max_length=400)] = ""
    close: bool = False


_TICKET_COLUMNS = "SELECT id::text, device, kind, opened, due, missed, finding, closed FROM ticket "


_TICKETS = Listing("ticket", _TICKET_COLUMNS, "ticket.id", "closed IS NULL OR NOT $4")


async def tickets(call: Call) -> Tickets:
    """Tickets, in the order in which they were opened."""
    rows, following = await read_page(call, _TICKETS, call.query.get("open") == "true")
    return Tickets([TicketLine(*row) for row in rows], following)


async def work_on_ticket(call: Call) -> TicketLine:
    """Records a finding, or that the work is done."""
    number, work = call.numbered("id", "ticket"), call.body
    if not work.finding and not work.close:
        raise wrong("nothing is said; give a finding, or close: true")
    async with call.transaction() as (db, batch):
        row = await db.fetchrow(_TICKET_COLUMNS + "WHERE id = $1 FOR UPDATE", number)
        if row is None:
            raise nothing(f"no ticket {number}")
        if row["closed"] is not None:
            raise wrong("the ticket is closed already")
        if work.close and row["kind"] == Ticket.OFFLINE and not (work.finding or row["finding"]):
            raise wrong("why a device is offline is found out and recorded (6.5); give a finding")
        if work.finding:
            batch.row(Kind.TICKET_FINDING, row["device"], text=work.finding)
        if work.close:
            batch.row(Kind.TICKET_CLOSED, row["device"], text=row["kind"])
        await db.execute(
            "UPDATE ticket SET finding = coalesce(nullif($2, ''), finding), closed = $3 "
            "WHERE id = $1",
            number,
            work.finding,
            batch.now if work.close else None,
        )
        row = await db.fetchrow(_TICKET_COLUMNS + "WHERE id = $1", number)
    return TicketLine(*row)


# -- complaints (11.2) ---------------------------------------------------------------------------


class Complaint(msgspec.Struct, frozen=True):
    """A complaint, as it came over the public telephone."""

    venue: Name
    matter: Text


class Decision(msgspec.Struct, frozen=True):
    """What became of a complaint."""

    upheld: bool
    answer: Text = ""


class ComplaintLine(msgspec.Struct):
    """A registered complaint; ``upheld`` is null until it is decided."""

    id: str
    received: float
    venue: str
    matter: str
    upheld: bool | None
    answer: str | None


class Complaints(msgspec.Struct):
    """A page of complaints."""

    complaints: list[ComplaintLine]
    next: str | None


_COMPLAINTS = Listing(
    "complaint",
    "SELECT id::text, received, venue, matter, upheld, answer FROM complaint",
    "complaint.id",
)


async def complaints(call: Call) -> Complaints:
    """Complaints, in the order of receipt."""
    rows, following = await read_page(call, _COMPLAINTS)
    return Complaints([ComplaintLine(*row) for row in rows], following)


async def complain(call: Call) -> ComplaintLine:
    """Registers a complaint."""
    async with call.transaction() as (db, _):
        row = await db.fetchrow(
            "INSERT INTO complaint (received, venue, matter) VALUES ($1, $2, $3) "
            "RETURNING id::text, received, venue, matter, upheld, answer",
            call.core.clock.now(),
            call.body.venue,
            call.body.matter,
        )
    return ComplaintLine(*row)


async def decide(call: Call) -> ComplaintLine:
    """Decides a complaint; only now it counts (D.1: upheld ones)."""
    number = call.numbered("id", "complaint")
    async with call.transaction() as (db, batch):
        row = await db.fetchrow(
            "UPDATE complaint SET upheld = $2, answer = $3 WHERE id = $1 AND upheld IS NULL "
            "RETURNING id::text, received, venue, matter, upheld, answer",
            number,
            call.body.upheld,
            call.body.answer,
        )
        if row is None:
            raise wrong(f"complaint {number} is decided already, or there is none")
        upheld = float(call.body.upheld)
        batch.row(Kind.COMPLAINT, row["venue"], value=upheld, text=row["matter"][:200])
    return ComplaintLine(*row)


# -- quarantine and audit ------------------------------------------------------------------------


class Kept(msgspec.Struct, rename="camel"):
    """What could not be placed, as it came."""

    id: str
    vendor: str | None
    received: float
    reason: str
    body: str
    seen_by: str | None


class Quarantine(msgspec.Struct):
    """A page of the quarantine."""

    kept: list[Kept]
    next: str | None


_QUARANTINE = Listing(
    "quarantine",
    "SELECT q.id::text, v.name, q.received, q.reason, q.body, q.seen_by FROM quarantine q "
    "LEFT JOIN vendor v ON v.id = q.vendor",
    "q.id",
    "q.seen_by IS NULL OR NOT $4",
)


async def quarantine(call: Call) -> Quarantine:
    """What could not be placed; ``open=true``: what nobody has looked at."""
    rows, following = await read_page(call, _QUARANTINE, call.query.get("open") == "true")
    kept = [
        Kept(id_, vendor, received, reason, body.decode("utf-8", "backslashreplace"), seen)
        for id_, vendor, received, reason, body, seen in rows
    ]
    return Quarantine(kept, following)


async def see(call: Call) -> None:
    """Somebody has looked at it."""
    number = call.numbered("id", "entry")
    async with call.transaction() as (db, _):
        done = await db.fetchval(
            "UPDATE quarantine SET seen_by = coalesce(seen_by, $2) WHERE id = $1 RETURNING true",
            number,
            call.principal.name,
        )
    if not done:
        raise nothing(f"no entry {number}")


class AuditLine(msgspec.Struct):
    """A write: who did what to what."""

    id: str
    time: float
    who: str
    role: str
    action: str
    target: str
    detail: Any


class AuditPage(msgspec.Struct):
    """A page of the audit trail."""

    entries: list[AuditLine]
    next: str | None


_AUDIT = Listing(
    "audit", "SELECT id::text, time, who, role, action, target, detail FROM audit", "audit.id"
)


async def audit(call: Call) -> AuditPage:
    """The audit trail, in order."""
    rows, following = await read_page(call, _AUDIT)
    lines = [
        AuditLine(id_, time, who, role, action, target, None if it is None else json.loads(it))
        for id_, time, who, role, action, target, it in rows
    ]
    return AuditPage(lines, following)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET", "/core/ticket", "getTickets", "Maintenance tickets", READERS, tickets,
        answer=Tickets, query={**PAGE, **OPEN},
    ),
    Endpoint(
        "POST", "/core/ticket/{id}", "workOnTicket", "A finding, or that the work is done",
        OPERATORS, work_on_ticket, request=TicketWork, answer=TicketLine, writes=True,
    ),
    Endpoint(
        "GET", "/core/complaint", "getComplaints", "Complaints (11.2)", READERS, complaints,
        answer=Complaints, query=PAGE,
    ),
    Endpoint(
        "POST", "/core/complaint", "registerComplaint", "Registers a complaint (11.2)",
        _STAFF, complain, request=Complaint, answer=ComplaintLine, writes=True,
    ),
    Endpoint(
        "POST", "/core/complaint/{id}", "decideComplaint", "Upholds a complaint, or not",
        MANAGERS, decide, request=Decision, answer=ComplaintLine, writes=True,
    ),
    Endpoint(
        "GET", "/core/quarantine", "getQuarantine", "What could not be placed", READERS,
        quarantine, answer=Quarantine, query={**PAGE, **OPEN},
    ),
    Endpoint(
        "POST", "/core/quarantine/{id}", "seeQuarantined", "Somebody has looked at it",
        OPERATORS, see, writes=True,
    ),
    Endpoint(
        "GET", "/core/audit", "getAudit", "Every write: who did what", AUDITORS, audit,
        answer=AuditPage, query=PAGE,
    ),
)  # fmt: skip
