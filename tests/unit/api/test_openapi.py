"""The OpenAPI document says what the API does: answers, refusals and requests fit it."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from mock_server.api.calls import Route
from mock_server.api.openapi import document
from mock_server.api.routes import ROUTES
from tests.unit.api.front import Answer, Front
from tests.unit.domain.world import SOFTWARE

DOCUMENT = document(ROUTES)


def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]
    return found


def fits(route: Route, answer: Answer) -> None:
    """The status is one of the operation's, and the body is of its schema."""
    said = operation(route)["responses"][str(answer.status)]
    assert answer.headers["content-type"] in said["content"]
    validator(said["content"]["application/json"]["schema"]).validate(answer.json)
    assert {name.lower() for name in said.get("headers", {})} <= set(answer.headers)


@pytest.fixture
def front() -> Front:
    front = Front()
    token = front.id_token()
    for name in ("ONE", "TWO"):
        front.register(name, token, uses=9)
    return front


def asked(front: Front) -> dict[str, dict[str, Any]]:
    """Operation → what it is sent here; what is not named is sent nothing."""
    client_id, secret = front.clients["Lab"]
    sudi = {"udiPid": "C9300-24T", "udiSerialNumber": "ONE"}
    return {
        "accessToken": {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": secret,
        },
        "createVirtualAccount": {"name": "Zürich / 1", "description": "é\n"},
        "createVirtualAccountOfCustomer": {"name": "other", "description": None},
        "createIdToken": {"expiresAfterDays": "365", "numberOfUses": "", "exportControlled": True},
        "revokeIdTokens": {"tokens": [front.id_token()]},
        "transferLicenses": {
            "licenses": [{"license": "DNA", "quantity": "3", "targetVirtualAccount": "Branch"}]
        },
        "transferDevices": {
            "productInstances": [{"sudi": sudi, "productTagName": SOFTWARE, "targetVirtualAccount": "Branch"}]
        },
        "removeDevices": {"productInstances": [{"sudi": sudi | {"udiSerialNumber": "TWO"}}]},
        "licenses": {"limit": "-1", "offset": "", "virtualAccounts": "Default"},
        "alerts": {"limit": None, "offset": 0},
    }


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_what_is_asked_and_answered_fits_the_document(front: Front, route: Route) -> None:
    """A request of the document's schema is done, and its answer is of the document's schema too."""
    said = asked(front).get(route.operation)
    if said is not None:
        schema = operation(route)["requestBody"]["content"]["application/json"]["schema"]
        validator(schema).validate(said)
    virtual_account = "Branch" if route.operation == "deleteVirtualAccount" else "Default"
    path = route.path.replace("{account}", "Lab").replace("{virtual_account}", virtual_account)
    before = len(front.ledger.changes)
    answer = front.call(route.method, path, said, bearer=None if route.public else "")
    assert answer.status == 200, answer.body
    fits(route, answer)
    # What changes something must not be told as 503 once it may be done: `Route.changes` says which that is.
    assert (len(front.ledger.changes) > before) is (route.changes or route.public)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.operation)
def test_refusals_fit_the_document(front: Front, route: Route) -> None:
    """Those of who may not, what is not there, bad bodies and numbers, too many calls, no longer Active."""
    path = route.path.replace("{account}", "Lab").replace("{virtual_account}", "nowhere")
    kind = "application/x"
    refused = [
        front.call(route.method, path),
        front.call(route.method, path, b"{"),
        front.call(route.method, path, b"x", content_type=kind),
        front.call(route.method, f"{path}?limit=x&offset=-1&name=%20&tokens=x", b""),
        front.call(route.method, path, b" " * (2**20 + 1)),
        front.call(route.method, path, bearer="x"),
    ]
    front.ledger.failing = True
    refused.append(front.call(route.method, path))
    front.active = None
    refused.append(front.call(route.method, path))
    for answer in refused:
        fits(route, answer)
    statuses = {answer.status for answer in refused}
    assert {400, 413, 415, 503} <= statuses


def test_every_field_that_is_read_liberally_is_said_so() -> None:
    """No schema of a request says only `integer` or `number`: texts of numbers are read as well."""
    for route in ROUTES:
        for field in DOCUMENT["components"]["schemas"].get(route.takes.__name__, {}).get("properties", {}):
            schema = DOCUMENT["components"]["schemas"][route.takes.__name__]["properties"][field]
            assert schema.get("type") not in ("integer", "number"), (route.operation, field)
            assert "x-schema" not in str(schema)
