"""`ha_generatekeys`, `ha_provision_standby`, `ha_deploy`: two stand-alone servers become a cluster.

In the order that operators know from SSM On-Prem: keys on the Primary, then the Secondary is made ready, then
the Primary deploys. The Primary keeps its data, the Secondary's is replaced.
"""

from __future__ import annotations

import contextlib

import msgspec

from mock_server.cluster import config, console, membership, refusals
from mock_server.cluster.commands.allowed import refusal
from mock_server.cluster.commands.membership import status_of, stuck
from mock_server.cluster.commands.table import Arguments
from mock_server.cluster.config import Address, ClusterConfig
from mock_server.cluster.node import Node
from mock_server.cluster.roles import Event, State
from mock_server.cluster.standing import Standing, deployed
from mock_server.cluster.talk import Outcome, Question, Talk, is_yes

_PATIENCE = 15.0
_IN_SYNC = 60.0


async def generate_keys(node: Node, _arguments: Arguments) -> Talk:
    await allow(node, "ha_generatekeys")
    present = await node.aside(membership.keys, node.layout)
    if present.primary is not None:
        yield f"The Primary has a key. Its fingerprint (SHA-256) is {present.primary}"
        if present.trusted_by_secondary is not None:
            yield (
                "WARNING: The Secondary was provisioned. With another key of the Primary, "
                "ha_provision_standby has to be run there again."
            )
        if not is_yes((yield Question("Make a new key? [y/N] "))):
            yield "The key stays as it is."
            yield Outcome.DECLINED
            return
    await node.aside(config.make_keys, node.layout, node.config, node.name)
    made = await node.aside(membership.keys, node.layout)
    yield "Made a new key for the cluster's heartbeat and replication."
    yield f"Fingerprint (SHA-256): {made.primary}"
    yield f"Next: ha_provision_standby {node.config.nodes.primary.host} VIP, on the Secondary."


async def provision(node: Node, arguments: Arguments) -> Talk:
    await allow(node, "ha_provision_standby")
    present = await node.aside(membership.keys, node.layout)
    if present.primary is None:
        raise refusals.NO_KEYS()
    here = node.config
    given = list(arguments.operands)
    for text, default in (
        ("IP address of the Primary server", here.nodes.primary.host),
        ("Virtual IP address of the cluster", here.vip.host),
    )[len(given) :]:
        answer = (yield Question(f"{text} [{default}]: ")).strip()
        given.append(default if not answer or is_yes(answer) else answer)  # who says yes to all means it so
    primary, vip = given
    if primary != here.nodes.primary.host:
        raise refusals.PRIMARY_ELSEWHERE(given=primary, address=here.nodes.primary.host)
    wanted = config.with_vip(here, vip)
    _bindable(node, wanted.vip)
    yield f"The Primary's key has the fingerprint (SHA-256) {present.primary}"
    yield "WARNING: All data of this server will be gone: it becomes a copy of the Primary's."
    if not is_yes((yield Question("Provision this server as the Standby? [y/N] "))):
        yield "This server stays as it is."
        yield Outcome.DECLINED
        return
    yield "Stopping this server..."
    await node.stop()
    await node.aside(membership.forget_journal, node.layout, node.name)
    await node.aside(config.make_keys, node.layout, wanted, node.name)
    await node.aside(membership.exchange_keys, node.layout)
    await node.aside(config.save, node.layout, wanted)
    made = membership.Provisioned(vip, primary, present.primary)
    await node.aside(membership.provision, node.layout, made)
    yield "Exchanged keys with the Primary."
    await _start(node)
    yield "This server is provisioned as the Standby. Next: ha_deploy, on the Primary."


async def deploy(node: Node, arguments: Arguments) -> Talk:
    await allow(node, "ha_deploy")
    yield "Checking the Secondary..."
    wanted = await node.aside(_deployable, node, arguments.operands)
    _bindable(node, wanted.vip)
    yield f"The Secondary is provisioned, and both have each other's key. The VIP is {wanted.vip.host}."
    yield "Writing the cluster's configuration..."
    await node.stop()
    await node.aside(config.save, node.layout, msgspec.structs.replace(wanted, mode="cluster"))
    yield console.START_COROSYNC
    await _start(node)
    yield console.START_PACEMAKER
    await node.until(lambda: node.state in (State.ACTIVE, State.ACTIVE_ALONE) or stuck(node), _PATIENCE)
    if node.problem is not None:
        raise node.problem
    yield f"The Primary is Active on the VIP {node.config.vip.host}, with all its data."
    yield "Copying everything to the Secondary..."
    with contextlib.suppress(TimeoutError):
        await node.until(lambda: node.state is not State.ACTIVE_ALONE, _IN_SYNC)
    if node.state is not State.ACTIVE:
        yield "The Secondary is not in sync yet; `ha_status` on its console says why."
        yield Outcome.WAITING
        return
    yield "The Secondary is Standby, in sync. The cluster is deployed."
    yield (
        "Next: set the Host Common Name to the VIP (Security > Certificates) and synchronize the local "
        "accounts, before products register by it."
    )


async def allow(node: Node, command: str) -> None:
    """Raise why the node does not take this command now."""
    await status_of(node)  # reads the record
    record = node.record
    torn = record.active if record is not None and record.mode == "stand-alone" else None
    undeployed = not deployed(record, made_alone=node.config.mode == "stand-alone")
    error = refusal(
        command,
        node.name,
        node.standing,
        node.state,
        provisioned=undeployed and node.standing is Standing.MEMBER,
        torn_down_by=torn,
    )
    if error is not None:
        raise error


def _deployable(node: Node, operands: tuple[str, ...]) -> ClusterConfig:
    """The configuration of the cluster, once the Secondary is ready for it."""
    made = membership.provisioned(node.layout)
    if made is None:
        raise refusals.NOT_PROVISIONED()
    present = membership.keys(node.layout)
    if not present.fit:
        raise refusals.KEYS_DIFFER(given=made.primary_key, present=present.primary)
    if operands and operands[0] != made.vip:
        raise refusals.VIP_DIFFERS(vip=made.vip, given=operands[0])
    return config.with_vip(config.load(node.layout.folder), made.vip)


def _bindable(node: Node, vip: Address) -> None:
    """The VIP is an address of this machine, and nobody listens there."""
    for port in (vip.device_port, vip.gui_port):
        node.world.bind(vip.host, port, vip=True).close()


async def _start(node: Node) -> None:
    await node.command(Event.START)
    await node.until(lambda: node.state not in (State.STOPPED, State.STARTING) or stuck(node), _IN_SYNC)
    if node.problem is not None:
        raise node.problem
