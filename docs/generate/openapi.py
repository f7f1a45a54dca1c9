"""Write docs/openapi.json from the API's table of endpoints, its structs, and those of reports.

Usage: ``python docs/generate/openapi.py > docs/openapi.json``
"""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
from pombo_exporter import __version__
from pombo_exporter.web.api import ENDPOINTS, Endpoint, Error
from pombo_exporter.web.paths import API
from pombo_exporter.web.report import ANSWERS, Refused
from pombo_exporter.web.responses import HEADERS
from pombo_wire.framing import FRAMED, MAX_BODY_BYTES, PLAIN, REPORT_PATH

JSON = dict[str, Any]

_ABOUT = """What Pombo's exporter knows about its hosts and itself, and how hosts report over HTTP.

Names of fields end in their unit: seconds (timestamps are Unix time), bytes, ratio (1 is all),
celsius, or a count per second or minute. A value that is not known is null. As long as the path
says v1, fields are added, but not renamed or removed; programs should ignore fields that they do
not know.

With --web.config.file, the exporter may ask for a password (401), and refuse too many requests
(429).
"""

_REFERENCE = "#/components/schemas/{name}"


#: The headers of every answer that has a body.
_HEADERS = {
    name: {"required": True, "schema": {"type": "string", "const": value}}
    for name, value in HEADERS.items()
}


def body(schema: JSON, text: str) -> JSON:
    """Return an answer of that schema."""
    content = {"application/json": {"schema": schema}}
    return {"description": text, "headers": _HEADERS, "content": content}


def reference(kind: type) -> JSON:
    """Return what stands for a struct's schema."""
    return {"$ref": _REFERENCE.format(name=kind.__name__)}


def answers(endpoint: Endpoint) -> Iterator[tuple[str, JSON]]:
    """Yield each status and what comes with it."""
    if endpoint.answer is None:
        yield "204", {"description": "Done."}
    else:
        answer = body(reference(endpoint.answer), "The answer.")
        answer["content"] |= {each: {"schema": {"type": "string"}} for each in endpoint.other_types}
        yield "200", answer
    for status, text in endpoint.errors:
        yield str(status), body(reference(Error), text)


def operation(endpoint: Endpoint) -> JSON:
    """Return the description of one method of one path."""
    described: JSON = {
        "operationId": endpoint.handler,
        "summary": endpoint.summary,
        "responses": dict(answers(endpoint)),
    }
    if parameters := [*_parameters(endpoint)]:
        described["parameters"] = parameters
    return described


def report() -> JSON:
    """Return the description of how reports are posted."""
    binary = {"type": "string", "format": "binary", "maxLength": MAX_BODY_BYTES}
    plain = {
        "type": "object",
        "required": ["host"],
        "properties": {"host": {"type": "string", "minLength": 1, "maxLength": 255}},
        "description": "A plain datagram: one report, as docs/wire.md specifies it.",
    }
    framed = binary | {"description": "Datagrams, each after its length in two bytes."}
    return {
        "operationId": "report",
        "summary": "Report over HTTP, in place of UDP. docs/wire.md specifies datagrams.",
        "requestBody": {
            "required": True,
            "content": {PLAIN: {"schema": plain}, FRAMED: {"schema": framed}},
        },
        "responses": {str(status): _answer(status, text) for status, text in ANSWERS.items()},
    }


def _answer(status: int, text: str) -> JSON:
    content = {200: {FRAMED: {"schema": {"type": "string", "format": "binary"}}}}
    content[422] = {PLAIN: {"schema": reference(Refused)}}
    return {
        "description": text,
        "content": content.get(status, {"text/plain": {"schema": {"type": "string"}}}),
    }


def _parameters(endpoint: Endpoint) -> Iterator[JSON]:
    for name in re.findall(r"{(\w+)}", endpoint.path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"The {name}'s name, percent-encoded.",
            "schema": {"type": "string", "minLength": 1},
        }
    for name, parameter in endpoint.query.items():
        item: JSON = {"type": "string"}
        if parameter.values:
            item["enum"] = [*parameter.values]
        if parameter.is_number:
            item = {"type": "number"}
        yield {
            "name": name,
            "in": "query",
            "description": parameter.description,
            "schema": {"type": "array", "items": item} if parameter.may_repeat else item,
        }


def document() -> JSON:
    """Return the whole of docs/openapi.json."""
    paths: dict[str, JSON] = {}
    for endpoint in ENDPOINTS:
        paths.setdefault(API + endpoint.path, {})[endpoint.method.lower()] = operation(endpoint)
    paths[REPORT_PATH] = {"post": report()}
    kinds = [endpoint.answer for endpoint in ENDPOINTS if endpoint.answer]
    _, schemas = msgspec.json.schema_components([*kinds, Error, Refused], ref_template=_REFERENCE)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pombo", "version": __version__, "description": _ABOUT},
        "paths": paths,
        "components": {"schemas": dict(sorted(schemas.items()))},
    }


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=2)
    sys.stdout.write("\n")
