"""The OpenAPI 3.1 document, made of the table of routes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from mock_server.api.calls import Route
from mock_server.api.shapes import Failure, Nothing
from smartlic_client import __version__

__all__ = ["document"]

_REF: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_ABOUT: Final = """\
A stand-in for the REST API of Smart Software Manager On-Prem, for tests of automation. It authorizes no real
product and has no affiliation with Cisco.

Get an access token by `POST /oauth/token` and send it with each call: `Authorization: Bearer …`. Every path
is also there under `/backend`. Fields are read liberally: from a JSON object, a form or the query; numbers
also as texts; a field that is missing, null or empty has its default; fields that are not known are left out.
"""
_MEANING: Final = {
    400: "What was sent cannot be understood.",
    401: "The access token has expired.",
    403: "There is no valid access token, or it is not for this.",
    404: "Something that is named is not there.",
    405: "The path does not take the method.",
    408: "The body did not come in time.",
    409: "It does not go as things are now.",
    413: "The body is longer than 1 MiB.",
    415: "The body is no JSON object and no form.",
    429: "Too many calls; Retry-After says when the next one may come.",
    500: "A defect of the server, or a change of which it is not known whether it is made.",
    502: "The server has just been started; Retry-After says when to ask again.",
    503: "The server is not Active just now, or cannot keep this; Retry-After says when to ask again.",
}
_ALL: Final = (400, 403, 408, 413, 415, 429, 500, 502, 503)
_SIGNED_IN: Final = (401, 404, 409)
_LATER: Final = (429, 502, 503)


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """The document as JSON-ready data."""
    types: dict[type[Any], None] = dict.fromkeys(
        [Failure, *(kind for route in routes for kind in (route.takes, route.gives))]
    )
    types.pop(Nothing, None)
    references, components = msgspec.json.schema_components(types, ref_template=_REF)
    at = dict(zip(types, references, strict=True))
    schemas = {name: _said(schema) for name, schema in components.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, at, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "SSM On-Prem (a mock)", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}, {"url": "/backend"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"accessToken": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"accessToken": []}],
    }


def _said(schema: Any) -> Any:
    """`x-schema` in place of what it stands beside; the default stays."""
    if isinstance(schema, list):
        return [_said(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "x-schema" in schema:
        kept = {key: schema[key] for key in ("default",) if key in schema}
        return {**schema["x-schema"], **kept}
    return {key: _said(value) for key, value in schema.items()}


def _operation(route: Route, at: dict[type, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": route.operation,
        "tags": [route.run.__module__.rpartition(".")[2].replace("_", " ")],
        "summary": route.summary,
        "parameters": [_in_path(name) for name in re.findall(r"{(\w+)}", route.path)],
        "responses": _responses(route, at),
    }
    if route.public:
        made["security"] = []
    if route.takes is Nothing:
        return made
    schema = schemas[route.takes.__name__]
    if route.method == "GET":
        made["parameters"] += [
            {"name": name, "in": "query", "required": False, "schema": one}
            for name, one in schema["properties"].items()
        ]
        return made
    needed = bool(schema.get("required"))
    kinds = [_JSON] if _nested(schema) else [_JSON, _FORM]
    made["requestBody"] = {
        "required": needed,
        "content": {kind: {"schema": at[route.takes]} for kind in kinds},
    }
    return made


def _nested(schema: dict[str, Any]) -> bool:
    """Whether a form could not say it without JSON in it."""
    return any("$ref" in str(one) for one in schema["properties"].values())


def _in_path(name: str) -> dict[str, Any]:
    what = {"account": "Name of a local account.", "virtual_account": "Name of a virtual account of it."}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": what[name],
        "schema": {"type": "string", "minLength": 1},
    }


def _responses(route: Route, at: dict[type, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "200": {"description": "Done.", "content": {_JSON: {"schema": at[route.gives]}}},
    }
    for status in sorted({*_ALL, *(() if route.public else _SIGNED_IN), *route.errors}):
        headers = {}
        if status in _LATER:
            headers["Retry-After"] = {"description": "Seconds.", "schema": {"type": "integer"}}
        if status == 401:
            headers["WWW-Authenticate"] = {"schema": {"type": "string"}}
        failed = {"description": _MEANING[status], "content": {_JSON: {"schema": at[Failure]}}}
        found[str(status)] = failed | ({"headers": headers} if headers else {})
    return found
