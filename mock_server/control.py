"""Domain commands of the control socket: what `smartlic-mock token create` and its like ask of the Active.

Each handler takes the request's fields and returns JSON-ready data; errors are problems, never tracebacks.
"""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from cryptography import x509

from mock_server import pki
from mock_server.cluster.machine import ControlHandler
from mock_server.domain import administration, problems
from mock_server.domain.events import decode
from mock_server.domain.state import DEFAULT_ACCOUNT, DEFAULT_VIRTUAL_ACCOUNT, State
from mock_server.domain.words import describe
from mock_server.errors import CallerError, problem
from mock_server.serving import Serving
from smartlic_client.errors import SmartlicError
from smartlic_client.names import DnsHost, parse_host

__all__ = ["handlers"]

BAD_FIELD = problem(
    "bad-field",
    CallerError,
    "The command's fields are not valid: {why}.",
    "See `smartlic-mock COMMAND --help` for what it takes.",
)


class _Fields(msgspec.Struct, kw_only=True):
    by: str = "console"
    account: str = DEFAULT_ACCOUNT
    virtual_account: str = DEFAULT_VIRTUAL_ACCOUNT


class _CreateAccount(_Fields, kw_only=True):
    name: str
    smart_account: str = "Lab Smart Account"
    cssm_virtual_account: str = "On-Prem"


class _CreateToken(_Fields, kw_only=True):
    description: str = ""
    days: float = 30.0
    uses: int | None = None
    export_controlled: bool = False


class _RevokeToken(_Fields, kw_only=True):
    token_id: str


class _AddLicense(_Fields, kw_only=True):
    tag: str
    name: str
    quantity: int


class _CommonName(_Fields, kw_only=True):
    name: str


class _Synchronize(_Fields, kw_only=True):
    accounts: list[str] | None = None


class _Events(_Fields, kw_only=True):
    limit: int = 50


class _Handlers:
    def __init__(self, active: Callable[[], Serving]) -> None:
        self._active = active

    async def create_account(self, fields: _CreateAccount) -> dict[str, Any]:
        serving = self._active()
        happened = administration.create_account(
            serving.state, fields.name, fields.smart_account, fields.cssm_virtual_account
        )
        await serving.commit(fields.by, happened)
        return {"account": fields.name}

    async def accounts(self, _fields: _Fields) -> dict[str, Any]:
        serving = self._active()
        found = [_account(account) for account in serving.state.accounts.values()]
        await serving.ledger.settled()
        return {"accounts": found}

    async def create_token(self, fields: _CreateToken) -> dict[str, Any]:
        serving = self._active()
        happened, token = administration.create_token(
            serving.state,
            fields.account,
            fields.virtual_account,
            days=fields.days,
            uses=fields.uses,
            description=fields.description,
            export_controlled=fields.export_controlled,
            now=time.time(),
            random=os.urandom,
        )
        await serving.commit(fields.by, happened)
        return {
            "token": token.reveal(),
            "token_id": token.token_id,
            "expires_at": _date(token.expires_at),
            "uses": fields.uses,
            "account": fields.account,
            "virtual_account": fields.virtual_account,
        }

    async def tokens(self, _fields: _Fields) -> dict[str, Any]:
        serving = self._active()
        found = [
            {
                "token_id": token.token_id,
                "account": token.account,
                "virtual_account": token.virtual_account,
                "description": token.description,
                "expires_at": _date(token.expires_at),
                "uses": token.uses,
                "used": token.used,
                "revoked": token.revoked,
            }
            for token in serving.state.tokens.values()
        ]
        await serving.ledger.settled()
        return {"tokens": found}

    async def revoke_token(self, fields: _RevokeToken) -> dict[str, Any]:
        serving = self._active()
        happened = administration.revoke_token(serving.state, fields.token_id)
        await serving.commit(fields.by, happened)
        return {"token_id": fields.token_id, "changed": bool(happened)}

    async def add_license(self, fields: _AddLicense) -> dict[str, Any]:
        serving = self._active()
        happened = administration.purchase(
            serving.state, fields.account, fields.virtual_account, fields.tag, fields.name, fields.quantity
        )
        await serving.commit(fields.by, happened)
        return {"name": fields.name, "tag": fields.tag, "purchased": fields.quantity}

    async def licenses(self, _fields: _Fields) -> dict[str, Any]:
        serving = self._active()
        found = [
            {
                "license": pool.name,
                "tag": pool.tag,
                "account": pool.account,
                "virtual_account": pool.virtual_account,
                "purchased": pool.purchased,
                "in_use": pool.in_use,
                "balance": pool.purchased - pool.in_use,
                "status": "In Compliance" if pool.in_use <= pool.purchased else "Out Of Compliance",
            }
            for _, pool in sorted(serving.state.pools.items())
        ]
        await serving.ledger.settled()
        return {"licenses": found}

    async def instances(self, _fields: _Fields) -> dict[str, Any]:
        serving = self._active()
        state = serving.state
        in_order = sorted(state.instances.values(), key=lambda instance: (instance.name, instance.piid))
        found = [_instance(state, instance) for instance in in_order]
        await serving.ledger.settled()
        return {"instances": found}

    async def common_name(self, fields: _CommonName) -> dict[str, Any]:
        serving = self._active()
        name = _host_common_name(fields.name, serving.served_hosts())
        happened = administration.set_common_name(serving.state, name)
        await serving.commit(fields.by, happened)
        return {**_certificates(serving), "changed": bool(happened)}

    async def certificates(self, _fields: _Fields) -> dict[str, Any]:
        serving = self._active()
        found = _certificates(serving)
        await serving.ledger.settled()
        return found

    async def synchronize(self, fields: _Synchronize) -> dict[str, Any]:
        serving = self._active()
        names = fields.accounts if fields.accounts is not None else list(serving.state.accounts)
        for name in names:
            administration.account_of(serving.state, name)
        renewed = await serving.synchronize(names)
        waiting = [account.name for account in serving.state.accounts.values() if account.waiting]
        return {
            **_certificates(serving),
            "synchronized": names,
            "certificates_regenerated": renewed,
            "still_to_synchronize": waiting,
        }

    async def events(self, fields: _Events) -> dict[str, Any]:
        serving = self._active()
        await serving.ledger.settled()
        found = await serving.ledger.read_events(limit=max(1, min(fields.limit, 1000)), newest_first=True)
        return {"events": [line for entry in found for line in _log_lines(entry.index, entry.payload)]}


def handlers(active: Callable[[], Serving]) -> Mapping[str, ControlHandler]:
    """Operation → handler. `active()` gives what serves, or raises not-active."""
    own = _Handlers(active)
    return {
        "account.create": _typed(_CreateAccount, own.create_account),
        "account.list": _typed(_Fields, own.accounts),
        "token.create": _typed(_CreateToken, own.create_token),
        "token.list": _typed(_Fields, own.tokens),
        "token.revoke": _typed(_RevokeToken, own.revoke_token),
        "license.add": _typed(_AddLicense, own.add_license),
        "license.list": _typed(_Fields, own.licenses),
        "instance.list": _typed(_Fields, own.instances),
        "common-name": _typed(_CommonName, own.common_name),
        "certificates": _typed(_Fields, own.certificates),
        "synchronize": _typed(_Synchronize, own.synchronize),
        "event.list": _typed(_Events, own.events),
    }


def _typed(form: Any, handler: Callable[[Any], Any]) -> ControlHandler:
    async def handle(fields: dict[str, Any]) -> dict[str, Any]:
        try:
            asked = msgspec.convert(fields, form)
        except msgspec.ValidationError as error:
            raise BAD_FIELD(why=str(error)) from None
        answer: dict[str, Any] = await handler(asked)
        return answer

    return handle


def _host_common_name(text: str, addresses: list[str]) -> str:
    """The name in its one spelling. With both families configured it has to be an FQDN (B1.4)."""
    try:
        host = parse_host(text)
    except SmartlicError as error:
        raise problems.BAD_COMMON_NAME(name=text, why=error.sentence.rstrip(".")) from None
    families = {":" in address for address in addresses}
    if len(families) == 2 and not isinstance(host, DnsHost):
        why = "the cluster has IPv4 and IPv6 addresses, and products reach it by either"
        raise problems.BAD_COMMON_NAME(name=text, why=why)
    if isinstance(host, DnsHost) and len(host.text) > 64:
        why = "a Common Name holds 64 characters (RFC 5280, appendix A.1)"
        raise problems.BAD_COMMON_NAME(name=text, why=why)
    return host.text


def _certificates(serving: Serving) -> dict[str, Any]:
    settings = serving.state.settings
    anchor = serving.cssm.anchor()
    pending = settings.common_name != settings.served_name
    note = (
        "The certificates still bear the former name. Synchronize the local accounts with Cisco Smart "
        "Software Manager; products that use the new name before that fail to register."
    )
    return {
        "common_name": settings.common_name,
        "served_name": settings.served_name,
        "pending": pending,
        "note": note if pending else "",
        "trust_anchor": anchor.decode(),
        "fingerprint": pki.fingerprint(x509.load_pem_x509_certificate(anchor)),
    }


def _date(at: float | None) -> str | None:
    if at is None:
        return None
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _account(account: Any) -> dict[str, Any]:
    return {
        "name": account.name,
        "status": account.status,
        "smart_account": account.smart_account,
        "virtual_accounts": account.virtual_accounts,
        "last_sync": _date(account.last_sync),
        "to_synchronize": account.waiting,
    }


def _instance(state: State, instance: Any) -> dict[str, Any]:
    names = {pool.tag: pool.name for pool in state.pools.values()}
    return {
        "name": instance.name,
        "product_instance_identifier": instance.piid,
        "product_type": instance.udi.pid or instance.software_id,
        "udi": str(instance.udi),
        "account": instance.account,
        "virtual_account": instance.virtual_account,
        "registered_at": _date(instance.registered_at),
        "last_contact": _date(instance.last_contact),
        "licenses": [
            {"license": names.get(tag, tag), "tag": tag, "count": count}
            for tag, count in instance.usage.items()
        ],
    }


def _log_lines(index: int, payload: bytes) -> list[dict[str, Any]]:
    change = decode(payload)
    return [
        {
            "index": index,
            "at": _date(change.at),
            "by": change.by,
            "node": change.node,
            "event": describe(event),
        }
        for event in change.events
    ]
