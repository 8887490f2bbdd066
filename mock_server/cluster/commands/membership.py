"""`ha_status`, `ha_cluster_stop`, `ha_cluster_start`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from mock_server.cluster import console
from mock_server.cluster.commands import answers
from mock_server.cluster.commands.answers import Answer
from mock_server.cluster.commands.table import Arguments
from mock_server.cluster.decide import forced_take_over, waits_for_peer
from mock_server.cluster.node import Node
from mock_server.cluster.refusals import DISCARDED, NOT_SETTLED
from mock_server.cluster.roles import ACTIVE_STATES, SETTLED_STATES, Event, State, role
from mock_server.cluster.standing import Standing
from mock_server.cluster.talk import Outcome, Talk
from mock_server.errors import SmartlicError

_PEER_PATIENCE = 1.5  # how long a start waits for an Active peer before it says that there is none
_START_PATIENCE = 15.0


async def status_of(node: Node) -> dict[str, Any]:
    """Both servers as this node sees them."""
    with contextlib.suppress(SmartlicError):
        record = await node.aside(node.witness.read)
        if node.state not in ACTIVE_STATES:
            node.record = record
    return node.status()


def stuck(node: Node) -> bool:
    """Whether a problem keeps the node from having a role."""
    return node.problem is not None and node.at_rest()


async def show(node: Node, _arguments: Arguments) -> Talk:
    status = await status_of(node)
    if status["mode"] != "cluster":
        async for said in not_enabled():
            yield said
        return
    for text in console.ha_status(status):
        yield text


async def stop(node: Node, _arguments: Arguments) -> Talk:
    match await _settled(node, "ha_cluster_stop"):
        case Answer.NOT_ENABLED:
            async for said in not_enabled():
                yield said
        case Answer.STOPPED_ALREADY:
            for text in console.already_stopped(node.name):
                yield text
            yield Outcome.UNCHANGED
        case _:
            yield console.STOP_PACEMAKER
            await node.command(Event.STOP)
            await node.until(lambda: node.state is State.STOPPED, _START_PATIENCE)
            yield console.STOP_COROSYNC
            await node.until(node.at_rest, _START_PATIENCE)


async def start(node: Node, arguments: Arguments) -> Talk:
    force = "--force" in arguments.options
    match await _settled(node, answers.FORCE if force else "ha_cluster_start"):
        case Answer.RUNNING_ALREADY:
            for text in console.already_running(node.name, role(node.state)):
                yield text
            yield Outcome.UNCHANGED
        case Answer.NOT_ENABLED:
            async for said in not_enabled():
                yield said
        case Answer.CODE:
            raise DISCARDED()
        case Answer.STARTS_ALONE | Answer.STARTS_PAGES:
            yield await _start_outside(node)
        case answer:
            async for said in _start_member(node, stopped=answer is Answer.STARTS, force=force):
                yield said


async def not_enabled() -> Talk:
    """C.7."""
    for text in console.NOT_ENABLED:
        yield text
    yield Outcome.FAILED


async def _settled(node: Node, command: str) -> Answer:
    """What the table says, once the state has passed in which it says to wait."""

    def now() -> Answer:
        return answers.here(command, node.standing, node.state)

    try:
        await node.until(lambda: now() is not Answer.AFTER, _START_PATIENCE)
    except TimeoutError:
        raise NOT_SETTLED(node=console.title(node.name), state=str(node.state), retry_after=1) from None
    return now()


async def _start_member(node: Node, *, stopped: bool, force: bool) -> Talk:
    if stopped:
        yield console.START_COROSYNC
        await node.command(Event.START)
        await node.until(lambda: node.state not in (State.STOPPED, State.STARTING) or stuck(node), 60.0)
        _raise_problem(node)
        yield console.START_PACEMAKER
    await _wait_for_role(node)
    if force and node.state is State.WAITING:
        async for text in _force(node):
            yield text
    _raise_problem(node)
    for text in console.started(await status_of(node)) + console.cut_lines(node.cut):
        yield text
    if node.state is State.WAITING:
        yield Outcome.WAITING


async def _start_outside(node: Node) -> str:
    """A server that is in no cluster is started again only where it was stopped."""
    await node.command(Event.START)
    await node.until(lambda: node.state in (State.ALONE, State.DISCARDED) or stuck(node), _START_PATIENCE)
    _raise_problem(node)
    if node.standing is Standing.DISCARDED:
        raise DISCARDED()
    return console.serves_alone(node.name, node.config.node(node.name).host)


async def _force(node: Node) -> AsyncIterator[str]:
    """Rule 7."""
    verdict = forced_take_over(node.view(node.peer_process()))
    if not verdict.lead:
        yield verdict.reason
        return
    for text in console.force_warning(await status_of(node), node.peer):
        yield text
    await node.command(Event.FORCE)
    await node.until(lambda: node.state in SETTLED_STATES or stuck(node), _START_PATIENCE)


async def _wait_for_role(node: Node) -> None:
    """Until the node has its role, or it is clear that it must wait for its peer (rule 7)."""

    def begun() -> bool:
        return node.state in SETTLED_STATES or node.state is State.CATCHING_UP or stuck(node)

    def done() -> bool:
        return node.state in SETTLED_STATES or stuck(node)

    with contextlib.suppress(TimeoutError):
        await node.until(begun, _PEER_PATIENCE)
    if node.state is not State.WAITING or not waits_for_peer(node.reason):
        with contextlib.suppress(TimeoutError):
            await node.until(done, _START_PATIENCE)


def _raise_problem(node: Node) -> None:
    if node.problem is not None and node.state is State.STOPPED:
        raise node.problem
