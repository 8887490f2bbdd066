"""Inventories of fleets (CSV, YAML) and of the check: read, or all their mistakes told."""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

from smartlic_client.errors import SmartlicError
from smartlic_client.fleet import inventory as fleet
from smartlic_client.preflight import inventory as check
from tests.fuzz import scratch
from tests.fuzz.target import Read, Target
from tests.unit.domain.world import tag

_SUFFIXES = ("csv", "yaml")
_FEW = 300
"""Devices of an inventory here: a million of them take their time, and the same path."""


def prepare() -> Read:
    folder = scratch.folder()

    def read(data: bytes) -> None:
        if not data:
            return
        kind, body = data[0] % 3, data[1:]
        if kind == 2:
            check.merge(check.read_inventory(body, "f"))
            return
        path = folder / f"i.{_SUFFIXES[kind]}"
        path.write_bytes(body)
        try:
            with mock.patch.object(fleet, "_MOST_DEVICES", _FEW):
                found = fleet.read_inventory(path)
        except SmartlicError as error:
            assert error.context.get("mistakes") != []
            return
        members = list(found)
        assert len(members) == len(found)
        assert len({member.name for member in members}) == len(found)

    return read


_CSV = f"""name,pid,sn,vid,software,count,licenses
core-1,C9500-40X,FCW2001A001,V01,,,"{tag(1)}=4"
access-{{n}},C9300-24T,FOC{{n:06}},,,20,"{tag(1)}=2 08:00=24 18:00=2; {tag(2)}=1"
"""
_YAML = f"""defaults: {{pid: C9300-24T}}
devices:
- name: core-1
  sn: FCW2001A001
  licenses: {{"{tag(1)}": 4}}
- {{name: "a-{{n:03}}", sn: "F{{n}}", count: 12, vid: V01, licenses: {{"{tag(2)}": "2 08:00=24 18:00=2"}}}}
"""


def seeds() -> Iterator[bytes]:
    yield b"\0" + _CSV.encode()
    yield b"\0" + _CSV.replace(",", ";").encode("utf-8-sig")
    yield b"\1" + _YAML.encode()
    yield b"\1- &a {name: x, sn: '1', pid: P}\n- *a\n- !!binary eA==\n- [?]\n"
    yield b"\2# all\nhttps://vip.lab/SmartTransport\nvip:8443\n[::1]:443\n10.0.0.5\n./server.pem\n"
    yield b"\2name,url\ncampus,https://vip/Transportgateway/services/DeviceRequestHandler\n"
    yield b"\2" + "name;host\nKöln;bücher.example\n".encode("utf-16")


_WORDS = (
    b"name",
    b"pid",
    b"sn",
    b"count",
    b"licenses",
    b"software",
    b"vid",
    b"devices:",
    b"defaults:",
    b"{n}",
    b"{n:06}",
    b"08:00=24",
    b" 23:59=1",
    tag(1).encode(),
    b"<<: *a",
    b"&a ",
    b"*a",
    b"!!set",
    b"!!python/object:os.system",
    b"? ",
    b"- ",
    b"|2-\n",
    b"%YAML 1.1\n---\n",
    b"\xef\xbb\xbf",
    b"https://",
    b"[::1]",
    b"xn--",
)
TARGETS = (Target("inventories", prepare, seeds, longest=2048, words=_WORDS),)
