"""Product instances."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping
from typing import Final

from mock_server.control.forms import BAD_FIELD, Answer, Fields, Operation, Page
from mock_server.domain import instances, usage_files
from mock_server.domain.alerts import of_instance
from mock_server.domain.state import Instance, State
from mock_server.domain.words import date
from mock_server.serving import Serving
from smartlic_client.protocol import usage_file

__all__ = ["OPERATIONS", "described"]


class _Of(Fields, kw_only=True):
    """`instance`: its product instance identifier, or its name."""

    instance: str


class _Rename(_Of, kw_only=True):
    name: str


class _UsageFile(Fields, kw_only=True):
    """`content`: the file in base64. Accounts: of a device that is new here."""

    content: str
    account: str | None = None
    virtual_account: str | None = None


class _Transfer(_Of, kw_only=True):
    to: str


async def list_instances(serving: Serving, fields: Page) -> Answer:
    state, now = serving.state, serving.now()
    in_order = sorted(state.instances.values(), key=lambda instance: (instance.name, instance.piid))
    names = {pool.tag: pool.name for pool in state.pools.values()}
    found = [described(state, names, instance, now) for instance in fields.of(in_order)]
    await serving.ledger.settled()
    return {"instances": found, "total": len(in_order)}


def described(state: State, names: Mapping[str, str], instance: Instance, now: float) -> Answer:
    """`names`: entitlement tag → its name."""
    return {
        "name": instance.name,
        "product_instance_identifier": instance.piid,
        "product_type": instance.udi.pid or instance.software_id,
        "udi": str(instance.udi),
        "software_id": instance.software_id,
        "account": instance.account,
        "virtual_account": instance.virtual_account,
        "mode": instance.mode,
        "export_controlled": instance.export_controlled,
        "registered_at": date(instance.registered_at),
        "renewed_at": date(instance.renewed_at),
        "last_report": date(instance.last_report),
        "reports": len(state.reports_of.get(instance.piid, ())),
        "last_contact": date(instance.last_contact),
        "alerts": [alert.message_type for alert in of_instance(instance, now)],
        "licenses": [
            {"license": names.get(tag, tag), "tag": tag, "count": count}
            for tag, count in instance.usage.items()
        ],
    }


async def rename(serving: Serving, fields: _Rename) -> Answer:
    state = serving.state
    piid = instances.instance_of(state, fields.instance).piid
    await serving.commit(fields.by, instances.rename(state, piid, fields.name))
    return {"product_instance_identifier": piid, "name": fields.name}


async def transfer(serving: Serving, fields: _Transfer) -> Answer:
    state = serving.state
    instance = instances.instance_of(state, fields.instance)
    moved = _named(instance) | {"from": instance.virtual_account, "to": fields.to}
    await serving.commit(fields.by, instances.transfer(state, instance.piid, fields.to))
    return moved


async def remove(serving: Serving, fields: _Of) -> Answer:
    state = serving.state
    instance = instances.instance_of(state, fields.instance)
    await serving.commit(fields.by, instances.remove(state, instance.piid))
    return _named(instance)


async def import_usage(serving: Serving, fields: _UsageFile) -> Answer:
    """A file of usage reports, and the acknowledgement for it: signed once what it names is safe."""
    try:
        data = base64.b64decode(fields.content, validate=True)
    except ValueError:
        raise BAD_FIELD(why="`content` is no base64") from None
    now = serving.now()
    taken = usage_files.take(
        serving.state,
        data,
        account=fields.account,
        virtual_account=fields.virtual_account,
        now=now,
        random=os.urandom,
    )
    await serving.commit(fields.by, taken.events)
    desk, instance = serving.desk, taken.instance
    file = usage_file.acknowledge(
        taken.result, instance.piid, time.time(), sign=desk.sign, certificates=desk.certificates
    )
    return {
        **_named(instance),
        "account": instance.account,
        "virtual_account": instance.virtual_account,
        "reports": taken.reports,
        "new": taken.new,
        "acknowledgement": file.decode(),
    }


def _named(instance: Instance) -> Answer:
    return {"product_instance_identifier": instance.piid, "name": instance.name}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "instance.list": Operation(Page, list_instances),
    "instance.rename": Operation(_Rename, rename),
    "instance.transfer": Operation(_Transfer, transfer),
    "instance.import-usage": Operation(_UsageFile, import_usage),
    "instance.remove": Operation(_Of, remove),
}
