"""Listening sockets, bound so that the kernel grants an address and port to one process at a time.

SO_REUSEADDR, or a takeover waits a minute for old connections; never SO_REUSEPORT and never 0.0.0.0, which
would let two processes hold the VIP. `bind` also listens: before that, a second process could bind as well.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from pathlib import Path

from mock_server.cluster.problems import (
    ADDRESS_NOT_ALLOWED,
    ADDRESS_NOT_HERE,
    PORT_IN_USE,
    PORT_NOT_ALLOWED,
    VIP_IN_USE,
)

BACKLOG = 1024


def spell(host: str, port: int) -> str:
    """An address and port as people write them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bind(host: str, port: int, *, vip: bool = False, ours: Iterable[int] = ()) -> socket.socket:
    """A listening socket, or the problem that says why not. `ours`: processes that may hold it, by id."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        address = spell(host, port)
        if error.errno == errno.EADDRINUSE:
            pid = holder(host, port, ours)
            by = f"this cluster's process {pid}" if pid else "another program"
            raise (VIP_IN_USE if vip else PORT_IN_USE)(address=address, holder=by, pid=pid) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise ADDRESS_NOT_HERE(address=address) from error
        if error.errno == errno.EINVAL:
            raise ADDRESS_NOT_ALLOWED(address=host, detail="the kernel does not take it") from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise PORT_NOT_ALLOWED(address=address) from error
        raise
    return sock


def holder(host: str, port: int, candidates: Iterable[int]) -> int | None:
    """Which of these processes listens there."""
    inodes = _listening(host, port)
    for pid in candidates:
        try:
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                if str(descriptor.readlink()) in inodes:
                    return pid
        except OSError:
            continue
    return None


def _listening(host: str, port: int) -> set[str]:
    """The sockets that listen on an address, as /proc/<pid>/fd names them."""
    v6 = ":" in host
    packed = socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, host)
    words = [packed[start : start + 4][::-1] for start in range(0, len(packed), 4)]
    wanted = f"{b''.join(words).hex().upper()}:{port:04X}"
    try:
        lines = Path("/proc/net/tcp6" if v6 else "/proc/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return set()
    rows = [line.split() for line in lines]
    return {f"socket:[{row[9]}]" for row in rows if row[1] == wanted and row[3] == "0A"}
