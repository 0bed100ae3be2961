"""The APIs of Annex B as an OpenAPI 3.1 document, the project's published interface.

``python -m twin.alarmcore.annexb.openapi docs/annex-b.openapi.json`` writes it.
"""

from __future__ import annotations

import json
import re
import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec

from twin.alarmcore.annexb.apis import EVERY, GET_TOKEN, Api, Side
from twin.alarmcore.annexb.codes import (
    EXTENDED_STATUSES,
    MEANINGS,
    PREFIX,
    STATUSES,
    TOKEN_HEADER,
    TOKEN_HEADER_ALSO,
    ReturnCode,
)
from twin.alarmcore.annexb.messages import BATCH

VERSION = "1.0"
"""Of the interface; a change that old clients cannot live with raises the first number."""

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_TAGS = {
    Side.CORE: "现场端平台 on-site platform",
    Side.VENDOR: "企业平台 vendor platform",
}
_SIDES = {
    Side.CORE: "served by the on-site platform; the vendor platform calls",
    Side.VENDOR: "served by the vendor platform; the on-site platform calls",
}
_SERVERS = {
    side: {
        "url": f"https://{{{side}}}{PREFIX}",
        "description": _SIDES[side],
        "variables": {str(side): {"default": f"{side}.example:8443"}},
    }
    for side in Side
}
_RETRY_AFTER = {
    "Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 0}}
}
_PAGING: list[Json] = [
    {
        "name": "after",
        "in": "query",
        "description": "`next` of the page before; without it the list begins",
        "schema": {"type": "string", "minLength": 1, "maxLength": 256},
    },
    {
        "name": "limit",
        "in": "query",
        "description": "the most items of a page",
        "schema": {"type": "integer", "minimum": 1, "maximum": BATCH, "default": BATCH},
    },
]
_ABOUT = f"""\
Annex B (normative) of DB3211/T 1066-2023, between an on-site platform (现场端平台) and a vendor's \
platform (企业平台). The standard fixes the transport, table B.1 (statuses), table B.2 (return \
codes) and the 22 APIs of table B.3; paths and fields are fixed here.

- HTTPS, JSON in UTF-8, paths under `{PREFIX}`. Success is status 200 *and* code `000000`.
- Header `{TOKEN_HEADER}` in every call but getToken (`{TOKEN_HEADER_ALSO}` is taken, too: proxies \
often drop headers with an underscore). The on-site platform issues the token and either side \
presents it (B.2.1). It is valid until the next one is issued (B.4.1).
- An id is the vendor's own. Those of gateways and devices are unique together.
- Coordinates are WGS-84, not GCJ-02 or BD-09.
- Unknown fields are ignored.
- Statuses that are not in table B.1 and APIs with `x-extension` are extensions.

Return codes:

| code | table B.2 | |
|---|---|---|
""" + "\n".join(f"| `{code}` | {zh} | {en} |" for code, (zh, en) in MEANINGS.items())


def document(side: Side | None = None) -> Json:
    """The OpenAPI document.

    Parameters
    ----------
    side : only what this side serves; None: both.
    """
    apis = [api for api in EVERY if side in (None, api.side)]
    types = {part for api in apis for part in (api.answer, api.request) if part is not None}
    ordered = sorted(types, key=str)
    _, schemas = msgspec.json.schema_components([*ordered, ReturnCode], ref_template=_REF)
    paths: dict[str, Json] = {}
    for api in apis:
        paths.setdefault(api.path, {})[api.method.lower()] = _operation(api, alone=side is not None)
    sides = [side] if side else list(Side)
    made: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "平台数据对接协议 - platform interface of DB3211/T 1066-2023, Annex B",
            "version": VERSION,
            "description": _ABOUT,
        },
        "servers": [_SERVERS[one] for one in sides],
        "tags": [{"name": _TAGS[one], "description": _SIDES[one]} for one in sides],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {
                **{name: _described(schema) for name, schema in sorted(schemas.items())},
                "Failure": {
                    "type": "object",
                    "required": ["code", "message"],
                    "properties": {
                        "code": {"$ref": _REF.format(name="ReturnCode")},
                        "message": {
                            "type": "string",
                            "description": "what is wrong and what would be right",
                        },
                        "data": {},
                    },
                },
            },
            "responses": {
                str(status): _failure(status)
                for status in sorted({**STATUSES, **EXTENDED_STATUSES})
                if status not in (200, 403)
            },
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER}},
        },
    }
    plain: Json = msgspec.json.decode(msgspec.json.encode(made))  # tuples are lists
    return plain


def _operation(api: Api, *, alone: bool) -> Json:
    number = f"API {api.number}" if api.number else ""
    operation: Json = {
        "operationId": api.name,
        "tags": [_TAGS[api.side]],
        "summary": " ".join(filter(None, (number, api.name_zh))),
        "responses": _responses(api),
    }
    if api.note:
        operation["description"] = api.note
    if api.extension:
        operation["x-extension"] = True
    if not alone:
        operation["servers"] = [_SERVERS[api.side]]
    if api is GET_TOKEN:
        operation["security"] = []
    parameters = [*map(_parameter, api.query), *(_PAGING if api.paged else ())]
    if parameters:
        operation["parameters"] = parameters
    if api.request is not None:
        one = _schema(api.request)
        many = {"type": "array", "items": one, "minItems": 1, "maxItems": BATCH}
        schema = one if api is GET_TOKEN else {"anyOf": [one, many]}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _parameter(name: str) -> Json:
    schema: Json = {"type": "string", "minLength": 1, "maxLength": 64}
    if not name.endswith("Id"):
        schema["format"] = "date-time"
    return {"name": name, "in": "query", "required": True, "schema": schema}


def _responses(api: Api) -> Json:
    ok = {
        "type": "object",
        "required": ["code", "data"],
        "properties": {
            "code": {"const": ReturnCode.OK.value},
            "message": {"type": "string"},
            "data": _schema(api.answer),
        },
    }
    wanted = [400, 401, 404, 405, 429, 500, 502, 503]
    if api.request is not None:
        wanted += [413, 415]
    responses: Json = {"200": {"description": STATUSES[200], "content": _json(ok)}}
    for status in sorted(wanted):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return responses


def _failure(status: int) -> Json:
    extended = status in EXTENDED_STATUSES
    text = EXTENDED_STATUSES[status] + " (extension)" if extended else STATUSES[status]
    response = {
        "description": text,
        "content": _json({"$ref": _REF.format(name="Failure")}),
    }
    return {**response, "headers": _RETRY_AFTER} if status in (429, 502, 503) else response


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _schema(kind: Any) -> Json:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema


_FIELD = re.compile(r"^(\w+(?:, \w+)*) : (.*(?:\n +.*)*)", re.MULTILINE)


def _described(schema: Json) -> Json:
    """A class's docstring told where it belongs: to the schema and to its fields."""
    about, _, fields = cleandoc(schema.get("description", "")).partition("\n\nParameters\n")
    properties = schema.get("properties", {})
    for names, text in _FIELD.findall(fields):
        told = _plain(text)
        for name in names.split(", "):
            first, *rest = name.split("_")
            wire = first + "".join(word.capitalize() for word in rest)
            properties[wire] = {"description": told, **properties[wire]}
    return {**schema, "description": _plain(about)} if about else schema


def _plain(text: str) -> str:
    return re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", " ".join(text.split())).replace(
        "``", "`"
    )


def write(document: Json, path: Path) -> None:
    """Writes a document to a file, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    write(document(), Path(sys.argv[1]))
