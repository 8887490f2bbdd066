"""Texts in which a person or a message names something: hosts, URLs, tags, devices, tokens, schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from mock_server.control.certificates import host_common_name
from smartlic_client.errors import SmartlicError
from smartlic_client.fleet.schedule import Schedule
from smartlic_client.hosts import parse_host, read_host, read_pattern
from smartlic_client.names import CertificateNames, judge, sentences
from smartlic_client.preflight.intake import read_nodes
from smartlic_client.preflight.targets import read_authority, read_target
from smartlic_client.protocol.identity import IdToken, Udi, entitlement_tag, printable, software_id
from smartlic_client.store import device_folder
from smartlic_client.transport.urls import Destination
from tests.fuzz.target import Read, Target
from tests.unit.domain.world import tag

_ADDRESSES = [ip_address("10.0.0.5"), ip_address("::1")]


def _judged(text: str) -> None:
    """A host, and on the next lines the names of a certificate."""
    host, *names = text.split("\n")
    half = len(names) // 2
    found = CertificateNames(tuple(names[:half]), tuple(names[half:]), tuple(_ADDRESSES))
    assert found.seen is not None
    for verdict in judge(parse_host(host), found):
        sentences(verdict.mismatches)
        assert verdict.holds or verdict.mismatches


def _destination(text: str) -> None:
    found = Destination.parse(text)
    again = Destination.parse(found.url)
    assert (again.url, again.host, again.port) == (found.url, found.host, found.port)


def _host(text: str) -> None:
    host = parse_host(text)
    assert parse_host(host.text) == host


def _udi(text: str) -> None:
    pid, _, rest = text.partition(",")
    sn, _, vid = rest.partition(",")
    Udi(pid=pid, sn=sn or None, vid=vid or None).validated()


_READERS: tuple[Callable[[str], Any], ...] = (
    _host,
    read_host,
    read_pattern,
    _judged,
    _destination,
    read_target,
    read_authority,
    read_nodes,
    lambda text: host_common_name(text, ["10.0.0.1", "10.0.0.2"]),
    entitlement_tag,
    software_id,
    lambda text: printable(text, "hostname"),
    lambda text: IdToken(text).reveal(),
    _udi,
    lambda text: device_folder(Path("devices"), text),
    Schedule.parse,
)
_VALUE_ERRORS = (read_authority, read_nodes, Schedule.parse)


def prepare() -> Read:
    def read(data: bytes) -> None:
        if not data:
            return
        reader = _READERS[data[0] % len(_READERS)]
        text = data[1:].decode("utf-8", "surrogateescape" if data[0] & 0x80 else "replace")
        try:
            reader(text)
        except SmartlicError as error:
            assert error.mend
        except ValueError:
            assert reader in _VALUE_ERRORS

    return read


_TEXTS = (
    "vip.lab.example",
    "*.lab.example",
    "bücher.example",
    "fe80::1%eth0",
    "10.0.0.5\n10.0.0.5\nvip.lab\n*.lab\n10.0.0.5",
    "https://[::1]:4443/Transportgateway/services/DeviceRequestHandler",
    "http://user:pw@vip.lab:80/SmartTransport?x#y",
    "vip.lab:8443",
    "10.0.0.1:4443,[::1]:4443",
    "10.0.0.12",
    tag(1),
    "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72",
    "annanr-39",
    "ZjY1ZTk2NzQtYjk0NC00MjQ1LTg5MzQtNzc0YjBhN2Y4OGQ1LTE2MTU0NjA3",
    "C9300-24T,FOC2705Y8X0,V01",
    "Zürich 7",
    "2 08:00=24 18:00=2",
)


def seeds() -> Iterator[bytes]:
    for number in range(len(_READERS)):
        for text in _TEXTS if number < 9 else (_TEXTS[min(number + 1, len(_TEXTS) - 1)],):
            yield bytes((number,)) + text.encode()


_WORDS = (b"https://", b"xn--", b"::", b"%25", b"/Transportgateway", b"[", b"]", b"@", b"..", b"\xe2\x80\x8d")
_MARKS = (b"\xc2\xad", b"\xef\xbc\x8e", b"0x7f", b"127.1", b"\xd9\xa1", b"regid.", b"*.", b"%00", b"%2e")
TARGETS = (Target("names", prepare, seeds, longest=512, words=_WORDS + _MARKS),)
