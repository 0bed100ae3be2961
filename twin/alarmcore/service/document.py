"""The service's own API as an OpenAPI 3.1 document: what it serves of Annex B, and the console.

``python -m twin.alarmcore.service.document docs/core.openapi.json`` writes it.
"""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from twin.alarmcore.annexb import openapi
from twin.alarmcore.annexb.apis import Side
from twin.alarmcore.annexb.codes import PREFIX, TOKEN_HEADER
from twin.alarmcore.service.endpoint import Endpoint
from twin.alarmcore.service.parameters import PATH, Parameter
from twin.alarmcore.service.routes import ENDPOINTS

Json = dict[str, Any]

_REF = "#/components/schemas/{name}"
_ABOUT = f"""\
What an alarm core serves: the on-site platform's side of Annex B of DB3211/T 1066-2023 (paths \
under `{PREFIX}`), and the console and views for people and programs (paths under `/core`), which \
are this project's own.

The token of header `{TOKEN_HEADER}` stands for a role; every operation names the roles that it is \
open to (`x-roles`). Ids that are numbers are sent as strings, as they are larger than what a \
floating-point number holds. Times are seconds since 1970-01-01 UTC of the service's clock."""


def document() -> Json:
    """The document."""
    made = openapi.document(Side.CORE)
    made["info"] = {"title": "Alarm core", "version": openapi.VERSION, "description": _ABOUT}
    made["servers"] = [{"url": "/"}]
    made["tags"].append({"name": "console", "description": "people and programs of a center"})
    made["paths"] = {f"{PREFIX}{path}": item for path, item in made["paths"].items()}
    for item in made["paths"].values():
        for operation in item.values():
            operation["x-roles"] = [] if operation.get("security") == [] else ["vendor"]
    own = [e for e in ENDPOINTS if not e.path.startswith(PREFIX)]
    types = sorted({t for e in own for t in (e.request, e.answer) if t is not None}, key=str)
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    made["components"]["schemas"].update(schemas)
    for endpoint in own:
        path = made["paths"].setdefault(endpoint.path, {})
        path[endpoint.method.lower()] = _operation(endpoint)
    plain: Json = json.loads(msgspec.json.encode(made))
    return plain


@cache
def document_text() -> str:
    """The document as it is served: anybody may ask for it, so it is made once."""
    return json.dumps(document(), ensure_ascii=False)


def _operation(endpoint: Endpoint) -> Json:
    operation: Json = {
        "operationId": endpoint.name,
        "tags": ["console"],
        "summary": endpoint.summary,
        "x-roles": sorted(endpoint.roles),
        "responses": _responses(endpoint),
    }
    if not endpoint.roles:
        operation["security"] = []
    parameters = [
        {"name": name, "in": "path", "required": True, **_parameter(PATH[name])}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    parameters += [
        {"name": name, "in": "query", **_parameter(parameter)}
        for name, parameter in (endpoint.query or {}).items()
    ]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.request is not None:
        operation["requestBody"] = {"required": True, "content": _json(_schema(endpoint.request))}
    return operation


def _parameter(parameter: Parameter) -> Json:
    return {"description": parameter.what, "schema": dict(parameter.schema)}


def _responses(endpoint: Endpoint) -> Json:
    if endpoint.bare:
        kind = "object" if endpoint.bare == "application/json" else "string"
        ok: Json = {endpoint.bare: {"schema": {"type": kind}}}
    else:
        data = {"type": "null"} if endpoint.answer is None else _schema(endpoint.answer)
        envelope = {
            "type": "object",
            "required": ["code", "data"],
            "properties": {
                "code": {"const": "000000"}, "message": {"type": "string"}, "data": data,
            },
        }  # fmt: skip
        ok = _json(envelope)
    wanted = [400, 401, 404, 405, 429, 500, 502, 503]
    if endpoint.request is not None:
        wanted += [413]
    return {
        "200": {"description": "OK", "content": ok},
        **{str(s): {"$ref": f"#/components/responses/{s}"} for s in sorted(wanted)},
    }


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _schema(kind: Any) -> Json:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REF)
    return schema


if __name__ == "__main__":
    openapi.write(document(), Path(sys.argv[1]))
