"""Parameters of calls: what each means and takes, for the check of a call and for the document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_DIGITS = r"^[0-9]{1,19}$"
BIGGEST = 2**63 - 1
"""Of an id in the database."""


class Parameter(NamedTuple):
    """A parameter in a path or a query.

    Parameters
    ----------
    what : it means, and what is taken.
    schema : the same as JSON schema; of its words ``type`` (string or integer), ``pattern``,
        ``enum``, ``minimum``, ``maximum``, ``minLength`` and ``maxLength`` are checked.
    """

    what: str
    schema: Mapping[str, Any]

    def takes(self, text: str) -> bool:
        """Whether a value is what the schema says."""
        schema = self.schema
        if "\x00" in text:
            return False
        if schema["type"] == "integer":
            if not re.fullmatch(r"[0-9]{1,19}", text, re.ASCII):
                return False
            return bool(schema["minimum"] <= int(text) <= schema["maximum"])
        return (
            schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", 1000)
            and text in schema.get("enum", (text,))
            # "$" alone would let a line break follow
            and (
                "pattern" not in schema
                or re.fullmatch(schema["pattern"], text, re.ASCII) is not None
            )
        )


def whole(what: str, least: int, most: int) -> Parameter:
    """A whole number."""
    schema = {"type": "integer", "minimum": least, "maximum": most}
    return Parameter(f"{what}; a whole number, {least} to {most}", schema)


def word(what: str, *words: str) -> Parameter:
    """One of some words."""
    return Parameter(f"{what}; {' or '.join(words)}", {"type": "string", "enum": list(words)})


def text(what: str, most: int, least: int = 1) -> Parameter:
    """Any text."""
    schema = {"type": "string", "minLength": least, "maxLength": most, "pattern": r"^[^\x00]*$"}
    return Parameter(f"{what}; {least} to {most} characters", schema)


def time(what: str) -> Parameter:
    """A time with its offset."""
    schema = {"type": "string", "format": "date-time", "minLength": 20, "maxLength": 40}
    return Parameter(f"{what}; ISO 8601 with its offset from UTC", schema)


ID = Parameter("an id; a number", {"type": "string", "pattern": _DIGITS})
PAGE = {
    "after": Parameter(
        f"the id after which the page begins; a number, at most {BIGGEST}",
        {"type": "integer", "minimum": 0, "maximum": BIGGEST},
    ),
    "limit": whole("the most entries of a page", 1, 1000),
}
OPEN = {"open": word("true: only those that wait", "true", "false")}

PATH: Mapping[str, Parameter] = {
    "alarm": ID,
    "id": ID,
    "vendor": text("the vendor's name", 32),
    "messageId": text("the vendor's id of the message", 64),
}
"""Every parameter of a path."""
