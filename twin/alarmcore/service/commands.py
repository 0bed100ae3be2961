"""What goes out to devices and comes back from channels: commands and receipts (extensions).

Annex B has no way down to a device. Remote trip (document 000) and silence (document 002) are
commands that the channel ``command`` hands to whoever can carry them out; an operator gives each of
them twice, the second time with the confirmation that the first one answered.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from twin.alarmcore.annexb.codes import ReturnCode
from twin.alarmcore.lifecycle import NotificationFailed
from twin.alarmcore.service.console import OPERATORS
from twin.alarmcore.service.endpoint import Call, Endpoint, Refused, nothing, wrong
from twin.alarmcore.service.engine import advance
from twin.alarmcore.service.outbox import Delivery, take_receipts
from twin.alarmcore.service.tokens import Role
from twin.alarmcore.store.batch import read_states
from twin.terms import Kind

CONFIRM_S = 60.0
"""A confirmation is good for one to two of these."""


class Command(msgspec.Struct, frozen=True):
    """A command to a device; without ``confirmation`` it is only asked for."""

    device: Annotated[str, Meta(min_length=1, max_length=200)]
    command: Literal["remote_trip", "silence"]
    confirmation: Annotated[str, Meta(max_length=64)] = ""


class Commanded(msgspec.Struct):
    """The confirmation to give, or the id of the message in the outbox."""

    confirmation: str | None
    outbox: str | None


async def command(call: Call) -> Commanded:
    """Asks for a command, or gives it."""
    core, wanted, by = call.core, call.body, call.principal.name
    minute = int(core.clock.now() // CONFIRM_S)
    async with call.transaction() as (db, batch):
        # The last command is part of what is confirmed: each confirmation is good for one.
        last = await db.fetchval(
            "SELECT max(id) FROM outbox WHERE kind = 'command' AND person = $1", wanted.device
        )
        what = f"{by}\n{wanted.device}\n{wanted.command}\n{last}"
        good = [f"{what}\n{m}" for m in (minute, minute - 1)]
        venue = await db.fetchrow(
            "SELECT venue FROM device WHERE id = $1 AND removed IS NULL", wanted.device
        )
        if venue is None:
            raise nothing(f"no device {wanted.device}")
        if not wanted.confirmation:
            return Commanded(core.seal.sign(good[0]), None)
        if not any(core.seal.signed(one, wanted.confirmation) for one in good):
            raise wrong("the confirmation is wrong or too old; ask for the command again")
        number = await db.fetchval(
            "INSERT INTO outbox (kind, channel, venue, person, body, created, due) "
            "VALUES ('command', 'command', $1, $2, $3, $4, $4) RETURNING id::text",
            venue[0],
            wanted.device,
            msgspec.json.encode({"command": wanted.command, "by": by}).decode(),
            batch.now,
        )
        batch.row(Kind.OPERATION, wanted.device, text=f"command:{wanted.command}")
    return Commanded(None, number)


class Receipt(msgspec.Struct, frozen=True):
    """What became of a message: its ``key`` and ``receipt`` as the channel got them."""

    key: Annotated[str, Meta(max_length=200)]
    receipt: Annotated[str, Meta(max_length=64)]
    received: bool = True


async def receipt(call: Call) -> None:
    """A receipt, or that the message did not get through."""
    told = call.body
    if not call.core.seal.signed(told.key, told.receipt):
        raise Refused(401, ReturnCode.NO_RIGHT, "receipt is not the one that came with this key")
    number = int(told.key.rpartition("-")[2])
    async with call.transaction() as (db, batch):
        # The venue before the message, as everywhere: else transactions may wait for each other.
        place = await db.fetchval("SELECT venue FROM outbox WHERE id = $1 AND alarm > 0", number)
        batch.held |= await read_states(db, [] if place is None else [place])
        row = await db.fetchrow(
            "UPDATE outbox SET state = $2, received = $3, due = NULL WHERE id = $1 "
            "AND (state IN ('waiting', 'sent') OR state = 'failed' AND $2 = 'received') "
            "RETURNING id, kind, channel, alarm, venue, person, tries",
            number,
            "received" if told.received else "failed",
            batch.now if told.received else None,
        )
        if row is None:
            return  # told before
        number, kind, channel, alarm, venue, person, tries = row
        delivery = Delivery(number, kind, channel, alarm, venue, person, {}, tries)
        if told.received:
            await take_receipts(call.core, db, batch, [delivery])
        elif row["kind"] == "notify" and not await db.fetchval(
            "SELECT count(*) FROM outbox WHERE kind = 'notify' AND alarm = $1 AND person = $2 "
            "AND state <> 'failed'",
            row["alarm"],
            row["person"],
        ):
            failed = NotificationFailed(row["alarm"], row["person"], "no channel reached")
            await advance(db, batch, [(row["venue"], failed)], call.core.rules)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "POST", "/core/command", "giveCommand", "Remote trip or silence, given twice (extension)",
        OPERATORS, command, request=Command, answer=Commanded, writes=True,
    ),
    Endpoint(
        "POST", "/core/receipt", "giveReceipt", "A channel tells what became of a message",
        frozenset[Role](), receipt, request=Receipt, writes=True,
    ),
)  # fmt: skip
