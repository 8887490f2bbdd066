"""The cluster's folder and configuration, and how its nodes know each other."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from mock_server.cluster import config, identity
from mock_server.cluster.processes import (
    ProcessId,
    alive,
    end,
    myself,
    open_pidfd,
    read_node_file,
    started,
)
from mock_server.files import write_private
from smartlic_client.errors import SmartlicError


def test_the_defaults_are_those_of_the_scenarios() -> None:
    """.5, .10 and the VIP .12; 4443, 8443 and 5405."""
    made = config.configure()
    assert made.nodes.primary == config.NodeAddress("127.0.0.5", 4443, 8443, 5405)
    assert made.nodes.secondary == config.NodeAddress("127.0.0.10", 4443, 8443, 5405)
    assert made.vip == config.Address("127.0.0.12", 4443, 8443)


def test_on_one_address_ports_stand_for_nodes() -> None:
    """VIP 4443, nodes 4444 and 4445, and the like for the GUI; peer ports differ too."""
    made = config.configure("127.0.0.1", "127.0.0.1", "127.0.0.1")
    assert made.vip == config.Address("127.0.0.1", 4443, 8443)
    assert made.nodes.primary == config.NodeAddress("127.0.0.1", 4444, 8444, 5405)
    assert made.nodes.secondary == config.NodeAddress("127.0.0.1", 4445, 8445, 5406)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "224.0.0.1", "example.org", ""])  # noqa: S104
def test_addresses_that_would_hold_everything_are_refused(host: str) -> None:
    """0.0.0.0 and :: would hold the VIP for both nodes; names may mean many addresses."""
    with pytest.raises(SmartlicError) as refused:
        config.configure(vip=host)
    assert refused.value.code == "address-not-allowed"


def test_addresses_that_others_reach_have_to_be_allowed(tmp_path: Path) -> None:
    """No way to a configuration leads past it: made, given, moved, another VIP. ::1 is the loopback's."""
    here = config.configure(*["127.0.0.1"] * 3)
    folder = tmp_path / "c"
    config.create(folder, here)
    given = msgspec.structs.replace(here, vip=config.Address("10.1.2.3", 4443, 8443))
    ways: tuple[Callable[[], object], ...] = (
        lambda: config.configure(vip="192.0.2.1"),
        lambda: config.configure("2001:db8::1", "::1", "127.0.0.9"),
        lambda: config.create(tmp_path / "other", given),
        lambda: config.move(folder, "192.0.2.1"),
        lambda: config.with_vip(config.configure(), "192.0.2.1"),
    )
    for way in ways:
        with pytest.raises(SmartlicError) as refused:
            way()
        assert refused.value.code == "remote-not-allowed"
    assert config.load(folder) == here
    assert not (tmp_path / "other").exists()
    assert config.configure("192.0.2.1", "::1", "192.0.2.3", allow_remote=True).allow_remote
    assert config.allow(folder, True) == config.load(folder)
    assert config.remote(config.move(folder, "192.0.2.1")) == ["192.0.2.1"]


def test_two_of_three_the_same_is_refused() -> None:
    """A VIP that is a node's own address does not move."""
    with pytest.raises(SmartlicError) as refused:
        config.configure("127.0.0.5", "127.0.0.10", "127.0.0.5")
    assert refused.value.code == "address-not-allowed"


def test_what_was_created_is_loaded(tmp_path: Path) -> None:
    """Creation is whole and private; a second one is refused; loading gives the same."""
    folder = tmp_path / "c"
    made = config.create(folder, config.configure("::1", "127.0.0.10", "127.0.0.12"))
    assert config.load(folder) == made
    with pytest.raises(SmartlicError) as refused:
        config.create(folder)
    assert refused.value.code == "folder-exists"
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_dir()} == {0o700}
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("content", "code"),
    [(None, "no-cluster"), ("{", "folder-damaged"), ('{"format": 2}', "folder-version"),
     ("{}", "folder-version"), ('{"format": 1}', "folder-damaged")],
)  # fmt: skip
def test_a_folder_that_cannot_be_loaded_says_why(tmp_path: Path, content: str | None, code: str) -> None:
    """No cluster, damage and another version are three different problems."""
    if content is not None:
        (tmp_path / "cluster.json").write_text(content)
    with pytest.raises(SmartlicError) as refused:
        config.load(tmp_path)
    assert refused.value.code == code


def test_each_node_trusts_exactly_its_peer(tmp_path: Path) -> None:
    """The nodes of one cluster reach each other; one of another cluster, or with none, does not."""
    first, second = tmp_path / "a", tmp_path / "b"
    config.create(first)
    config.create(second)
    server, _ = contexts(first, "primary")
    _, client = contexts(first, "secondary")
    _, stranger = contexts(second, "secondary")
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nobody.check_hostname = False
    nobody.verify_mode = ssl.CERT_NONE
    assert handshake(server, client)
    assert not handshake(server, stranger)
    assert not handshake(server, nobody)


def contexts(folder: Path, me: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    layout = config.Layout(folder)
    return identity.contexts(layout.certificate(me), layout.key(me), layout.trusted(me))


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> bool:
    """Whether both sides accept each other, in memory."""
    ends = []
    wires = (ssl.MemoryBIO(), ssl.MemoryBIO())
    ends.append(server.wrap_bio(wires[0], wires[1], server_side=True))
    ends.append(client.wrap_bio(wires[1], wires[0], server_side=False))
    todo = list(ends)
    try:
        for _ in range(10):
            for side in list(todo):
                try:
                    side.do_handshake()
                    todo.remove(side)
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLError:
        return False
    return not todo


def test_a_process_is_known_by_id_and_start() -> None:
    """Another start time is another process: it is neither alive nor ended."""
    me = myself()
    assert alive(me)
    reused = ProcessId(me.pid, me.started + 1)
    assert not alive(reused)
    assert open_pidfd(reused) is None
    assert asyncio.run(end(reused))  # it is gone as far as we are concerned; this process lives on
    assert started(2**22 + 1) is None


def test_a_child_that_ended_but_was_not_waited_for_is_gone() -> None:
    """A zombie serves nobody."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    descriptor = os.pidfd_open(child)
    os.waitid(os.P_PIDFD, descriptor, os.WEXITED | os.WNOWAIT)
    assert started(child) is None
    os.close(descriptor)
    os.waitpid(child, 0)


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    """A reader sees the old or the new content; nothing else is left behind; no word is None."""
    path = tmp_path / "node.json"
    assert read_node_file(path) is None
    write_private(path, b"old")
    write_private(path, b"new", sync=True)
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["node.json"]
    assert read_node_file(path) is None
