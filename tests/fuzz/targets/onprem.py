"""Answers of the REST API, as its client reads them: structs of its model, or an error."""

from __future__ import annotations

import json
from collections.abc import Iterator

from smartlic_client.errors import SmartlicError
from smartlic_client.onprem import answers, model, reading
from smartlic_client.onprem.reading import UnreadableError
from smartlic_client.transport import HttpAnswer
from smartlic_client.transport.urls import Destination
from tests.fuzz.mutation import json_in_json
from tests.fuzz.target import Read, Target

_KINDS = (
    (model.VirtualAccount, "virtualAccounts"),
    (model.Account, "accounts"),
    (model.Token, "tokens"),
    (model.NewToken, "tokenInfo"),
    (model.License, "licenses"),
    (model.Subscription, "subscriptions"),
    (model.Device, "devices"),
    (model.Alert, "alerts"),
    (model.Done, "result"),
    (model.LicenseTransfer, "licenses"),
)
_STATUS = (200, 201, 204, 302, 400, 401, 403, 404, 429, 500, 502, 503)


def prepare() -> Read:
    there = Destination.parse("https://vip:8443/backend")

    def read(data: bytes) -> None:
        if not data:
            return
        kind, name = _KINDS[(data[0] >> 4) % len(_KINDS)]
        status = _STATUS[(data[0] & 0x0F) % len(_STATUS)]
        answer = HttpAnswer(status, "https://x/" + name, 5.0, data[1:], "application/json")
        found = answers.refusal(answer, there, "tell")
        if found is not None:
            assert isinstance(found.error, SmartlicError)
            return
        try:
            reading.items(kind, reading.parse(data[1:]), name)
        except UnreadableError as error:
            assert str(error)

    return read


_SUDI = {"udiPid": "C9300-24T", "udiSerialNumber": "FOC1"}
_SEEDS: tuple[dict[str, object], ...] = (
    {"status": "COMPLETE", "statusMessage": "", "virtualAccounts": [{"name": "Default", "isDefault": "Yes"}]},
    {"accounts": [{"name": "Lab", "status": "active"}]},
    {"tokens": [{"token": "x", "expirationDate": "2026-01-01T00:00:00Z", "exportControlled": "Allowed"}]},
    {"tokenInfo": {"token": "x", "tokenUsed": "3", "maxUses": None}},
    {
        "totalRecords": 1,
        "licenses": [{"license": "DNA", "quantity": "5", "licenseDetails": [{"quantity": 5}]}],
    },
    {"subscriptions": [{"name": "s", "quantity": 1.0}]},
    {"devices": [{"hostName": "h", "sudi": _SUDI, "licenseUsage": [{"license": "DNA", "quantity": 2}]}]},
    {"alerts": [{"message": "m", "severity": "Major"}]},
    {"status": "ERROR", "statusMessage": "no", "result": []},
    {"licenses": {"license": "DNA"}},
)


def seeds() -> Iterator[bytes]:
    for number, answer in enumerate(_SEEDS):
        for status in (0, 4) if number == 8 else (0,):
            yield bytes((number << 4 | status,)) + json.dumps(answer).encode()


TARGETS = (Target("rest-answers", prepare, seeds, json_in_json, longest=2048),)
