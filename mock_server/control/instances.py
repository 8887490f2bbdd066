"""Product instances."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mock_server.control.forms import Answer, Fields, Operation, date
from mock_server.domain.state import Instance
from mock_server.serving import Serving

__all__ = ["OPERATIONS"]


async def list_instances(serving: Serving, _fields: Fields) -> Answer:
    state = serving.state
    in_order = sorted(state.instances.values(), key=lambda instance: (instance.name, instance.piid))
    names = {pool.tag: pool.name for pool in state.pools.values()}
    found = [_instance(names, instance) for instance in in_order]
    await serving.ledger.settled()
    return {"instances": found}


def _instance(names: Mapping[str, str], instance: Instance) -> Answer:
    return {
        "name": instance.name,
        "product_instance_identifier": instance.piid,
        "product_type": instance.udi.pid or instance.software_id,
        "udi": str(instance.udi),
        "account": instance.account,
        "virtual_account": instance.virtual_account,
        "registered_at": date(instance.registered_at),
        "last_contact": date(instance.last_contact),
        "licenses": [
            {"license": names.get(tag, tag), "tag": tag, "count": count}
            for tag, count in instance.usage.items()
        ],
    }


OPERATIONS: Final[Mapping[str, Operation]] = {"instance.list": Operation(Fields, list_instances)}
