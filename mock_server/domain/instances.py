"""What people do with product instances: rename, transfer, remove. Decisions only."""

from __future__ import annotations

from mock_server.domain import accounts, events, problems
from mock_server.domain.state import Instance, State, Tombstone

__all__ = ["instance_of", "remove", "rename", "transfer"]


def instance_of(state: State, text: str) -> Instance:
    """The instance by its product instance identifier, or by its name if no other has it."""
    if (known := state.instances.get(text)) is not None:
        return known
    found = [instance for instance in state.instances.values() if instance.name == text]
    if not found:
        raise problems.INSTANCE_UNKNOWN(instance=text)
    if len(found) > 1:
        raise problems.INSTANCE_AMBIGUOUS(instance=text, count=len(found))
    return found[0]


def rename(state: State, text: str, name: str) -> list[events.Event]:
    """Give it a name on this server; the device's hostname stays as it is."""
    instance = instance_of(state, text)
    accounts.active(state, instance.account)
    if accounts.name_for(name, "a product instance") == instance.name:
        return []
    return [events.InstanceRenamed(piid=instance.piid, former=instance.name, name=name)]


def transfer(state: State, text: str, target: str) -> list[events.Event]:
    """Move it to another virtual account of its local account, with what it uses."""
    instance = instance_of(state, text)
    accounts.active(state, instance.account, target)
    if target == instance.virtual_account:
        raise problems.SAME_VIRTUAL_ACCOUNT(virtual_account=target)
    moved = events.InstanceTransferred(
        piid=instance.piid, name=instance.name, source=instance.virtual_account, target=target
    )
    return [moved]


def remove(state: State, text: str) -> list[events.Event]:
    """Forget it: its licenses are free, and its next message is answered as that of an unknown instance.

    Possible while the account is inactive, which has to be cleared out before it can be deleted.
    """
    instance = instance_of(state, text)
    grave = Tombstone(piid=instance.piid, public_key=instance.public_key, last=None)
    return [events.InstanceGone(tombstone=grave, why="removed", name=instance.name)]
