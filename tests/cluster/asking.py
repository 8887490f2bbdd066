"""The toy service, and commands that ask: `toy_ask` asks twice, `toy_slow` waits for a file."""

from __future__ import annotations

import asyncio

from mock_server.cluster.commands.handlers import HANDLERS
from mock_server.cluster.commands.table import COMMANDS, Arguments, Command
from mock_server.cluster.node import Node
from mock_server.cluster.talk import Outcome, Question, Talk, is_yes
from tests.cluster.toy import factory

__all__ = ["factory"]


async def _ask(node: Node, _arguments: Arguments) -> Talk:
    yield f"This changes the {node.name}."
    sure = yield Question("Continue? [y/N]")
    if not is_yes(sure):
        yield f"{sure!r} is no."
        yield Outcome.DECLINED
        (node.layout.node(node.name) / "declined").touch()
        return
    name = yield Question("Name of it:")
    yield f"It is {name!r}."
    (node.layout.node(node.name) / "asked").write_text(name)


async def _slow(node: Node, _arguments: Arguments) -> Talk:
    yield "begun"
    go = node.layout.node(node.name) / "go"
    while not go.exists():
        await asyncio.sleep(0.02)
    yield "done"
    (node.layout.node(node.name) / "slow-done").touch()


for _name, _handler in (("toy_ask", _ask), ("toy_slow", _slow)):
    COMMANDS[_name] = Command(_name, "For tests", changes=True)
    HANDLERS[_name] = _handler
