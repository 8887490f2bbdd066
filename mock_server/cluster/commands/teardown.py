"""`ha_teardown`: the Primary goes on as a stand-alone server, and the Secondary is discarded (rule 10)."""

from __future__ import annotations

import contextlib

from mock_server.cluster import console, membership, refusals, standing
from mock_server.cluster.commands.allowed import PRIMARY
from mock_server.cluster.commands.deployment import allow
from mock_server.cluster.commands.membership import stuck
from mock_server.cluster.commands.table import Arguments
from mock_server.cluster.node import Node
from mock_server.cluster.roles import ACTIVE_STATES, Event, State
from mock_server.cluster.standing import Standing
from mock_server.cluster.talk import Outcome, Question, Talk, is_yes

_PATIENCE = 15.0
_DRAINED = 10.0


async def teardown(node: Node, _arguments: Arguments) -> Talk:
    await allow(node, "ha_teardown")
    if node.standing is not Standing.MEMBER:
        for text in console.NOT_ENABLED:
            yield text
        yield Outcome.FAILED
        return
    if node.name != PRIMARY and await node.aside(_last_copy, node):
        raise refusals.LAST_COPY()
    yield console.TEARDOWN_WARNING
    for text in _consequences(node):
        yield text
    if not is_yes((yield Question("Do you want to continue? [y/N] "))):
        yield "Nothing was changed."
        yield Outcome.DECLINED
        return
    await allow(node, "ha_teardown")  # the roles may be others by now
    if _never_deployed(node):
        async for said in _unprovision(node):
            yield said
        return
    steps = _primary(node) if node.name == PRIMARY else _secondary(node)
    async for said in steps:
        yield said
    for text in console.torn_down(node.config.node(node.name).host, discarded=node.name != PRIMARY):
        yield text


def _consequences(node: Node) -> list[str]:
    own = node.config.node(node.name).host
    if _never_deployed(node):
        return [f"This server was never deployed: it is a stand-alone server again, without data, at {own}."]
    if node.name == PRIMARY:
        return [
            f"The VIP {node.config.vip.host} is given up. All data stays, and is served at {own} only.",
            "The Secondary cannot be used again. The browser certificate is deleted.",
        ]
    return [f"This server is discarded: its pages can be read at {own}, and it cannot be used again."]


async def _primary(node: Node) -> Talk:
    yield "Starting the teardown of the HA cluster..."
    await node.command(Event.TEAR_DOWN)
    await node.until(lambda: node.standing is Standing.ALONE or _ended(node), _PATIENCE)
    if node.standing is not Standing.ALONE:
        raise refusals.PRIMARY_NOT_ACTIVE(state=str(node.state))
    yield "The cluster's record says: stand-alone. Giving up the VIP..."
    await node.until(lambda: node.state is State.ALONE or _ended(node), _DRAINED)
    if node.state is not State.ALONE:
        raise refusals.NOT_SETTLED(node="Primary", state=str(node.state), retry_after=1)
    yield "The VIP is given up. Heartbeat and replication are closed."


async def _secondary(node: Node) -> Talk:
    yield "Starting the teardown of the HA cluster..."
    yield console.STOP_PACEMAKER
    await node.stop()
    yield console.STOP_COROSYNC
    if not await node.aside(_give_up, node):
        raise refusals.LAST_COPY()
    await node.aside(membership.mark, node.layout, node.name, "discarded")
    await node.command(Event.START)
    with contextlib.suppress(TimeoutError):
        await node.until(lambda: node.state is State.DISCARDED or stuck(node), _PATIENCE)
    if node.problem is not None:
        yield f"Its pages cannot be shown: {node.problem.sentence}"


async def _unprovision(node: Node) -> Talk:
    """A Secondary that was never deployed is what it was before."""
    await node.stop()
    await node.aside(membership.unmark, node.layout, node.name, "provisioned")
    await node.command(Event.START)
    await node.until(lambda: node.state is State.ALONE or stuck(node), _PATIENCE)
    if node.problem is not None:
        raise node.problem
    yield console.serves_alone(node.name, node.config.node(node.name).host)


def _never_deployed(node: Node) -> bool:
    """A Secondary that was provisioned, and is in no cluster yet."""
    return node.record is None and node.config.mode == "stand-alone"


def _ended(node: Node) -> bool:
    return node.state not in ACTIVE_STATES


def _last_copy(node: Node) -> bool:
    """Whether nobody else has what was acknowledged."""
    record = node.witness.read()
    return record is not None and record.in_sync == (node.name,)


def _give_up(node: Node) -> bool:
    """Take this server off the list, if it is on it still; False: nobody else has what was acknowledged."""
    while True:
        seen = node.witness.read()
        if seen is None:
            return True  # it never became a cluster
        wanted = standing.giving_up(seen, node.peer)
        if wanted is None:
            return False
        if wanted == seen or node.witness.compare_and_set(seen, wanted) is not None:
            return True
