"""Targets and inventories, as people write them: read, or refused with a reason, and never a traceback."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smartlic_client.preflight.inventory import merge, read_inventory
from smartlic_client.preflight.targets import read_authority, read_target
from smartlic_client.protocol.transports import TransportKind

GATEWAY = TransportKind.CALLHOME.path


@pytest.mark.parametrize(
    ("text", "url"),
    [
        (f"https://192.0.2.14{GATEWAY}", f"https://192.0.2.14{GATEWAY}"),
        ("https://192.0.2.14", f"https://192.0.2.14{GATEWAY}"),
        ("192.0.2.14", f"https://192.0.2.14{GATEWAY}"),
        ("192.0.2.14:4443", f"https://192.0.2.14:4443{GATEWAY}"),
        ("SSM.Example.COM.", f"https://ssm.example.com{GATEWAY}"),
        ("ssm.example.com/SmartTransport", "https://ssm.example.com/SmartTransport"),
        ("2001:db8::14", f"https://[2001:db8::14]{GATEWAY}"),
        ("[2001:DB8:0::14]:4443", f"https://[2001:db8::14]:4443{GATEWAY}"),
        ("https://büro.example", f"https://xn--bro-hoa.example{GATEWAY}"),
        ("192.0.2.14/cslu/v1/pi/SSM%20Account-1", "https://192.0.2.14/cslu/v1/pi/SSM%20Account-1"),
    ],
)
def test_right_targets(text: str, url: str) -> None:
    """URLs and short forms have one spelling, port 443 and the Transport Gateway by default, no flaw."""
    target = read_target(text)
    assert target.url == target.label == url
    assert target.flaws == ()


@pytest.mark.parametrize(
    ("text", "flaws", "still_checked"),
    [
        ("http://192.0.2.14/", ["url-not-https"], True),
        ("HTTP://192.0.2.14:80/", ["url-not-https", "url-port-unusual"], True),
        ("https://admin:secret@192.0.2.14/", ["url-user-info"], True),
        ("https://192.0.2.14/SmartTransport#top", ["url-query-or-fragment"], True),
        ("https://192.0.2.14?x", ["url-query-or-fragment"], True),
        ("ftp://a@ssm_1.example/smarttransport/?x#y",
         ["url-not-https", "url-user-info", "url-query-or-fragment", "host-underscore",
          "url-path-misspelt"], True),
        ("https://192.0.2.14:8443/", ["url-port-unusual"], True),
        ("192.0.2.14/transportgateway/services/devicerequesthandler", ["url-path-misspelt"], True),
        (f"https://192.0.2.14{GATEWAY}/", ["url-path-misspelt"], True),
        ("https://192.0.2.14/its/service", ["url-path-unknown"], True),
        ("https://192.0.2.14:0/", ["url-port-out-of-range"], False),
        ("https://192.0.2.14:65536/", ["url-port-out-of-range"], False),
        ("https://192.0.2.14:99999999999999999999/", ["url-port-out-of-range"], False),
        ("https://192.0.2.14:https/", ["url-port-out-of-range"], False),
        ("192.0.2.14:", ["url-port-out-of-range"], False),
        ("https://127.1/", ["url-host-malformed"], False),
        ("https://2130706433/", ["url-host-malformed"], False),
        ("https://0x7f000001/", ["url-host-malformed"], False),
        ("https://192.0.2.014/", ["url-host-malformed"], False),
        ("https://[fe80::1%25eth0]/", ["url-host-malformed"], False),
        ("https://[fe80::1%eth0]/", ["url-host-malformed"], False),
        ("https://[2001:db8::zz]/", ["url-host-malformed"], False),
        ("https://☃☃.example/", ["url-host-malformed"], False),
        ("https://a..b/", ["url-host-malformed"], False),
        ("https://*.example.com/", ["url-host-malformed"], False),
        ("https://" + "a" * 300 + ".example/", ["url-host-malformed"], False),
        ("https://" + "a." * 150 + "example/", ["url-host-malformed"], False),
        ("https:///path", ["url-host-malformed"], False),
        ("https://", ["url-host-malformed"], False),
        ("https://exa mple/", ["url-malformed"], False),
        ("https://192.0.2.14/\x07", ["url-malformed"], False),
        ("https://[2001:db8::1/", ["url-malformed"], False),
        ("https://192.0.2.14/ä", ["url-malformed"], False),
        ("", ["url-malformed"], False),
        ("   ", ["url-malformed"], False),
    ],
)  # fmt: skip
def test_flawed_targets(text: str, flaws: list[str], still_checked: bool) -> None:
    """Every flaw of a URL is told at once, and what can still be checked is checked."""
    target = read_target(text)
    found = [flaw.id for flaw in target.flaws]
    assert found == flaws
    assert (target.host is not None) is still_checked
    assert len(target.label) < 300


def test_a_secret_in_a_url_is_shown_nowhere() -> None:
    """User information may be a password: it is in no field of a target."""
    for text in ("https://admin:s3cr3t@192.0.2.14/", "https://admin:s3cr3t@exa mple/", "admin:s3cr3t@127.1"):
        assert "s3cr3t" not in repr(read_target(text))


def test_a_file_is_told_from_a_host(tmp_path: Path) -> None:
    """What ends or begins like a file, or is there, is one; a host with dots is none."""
    there = tmp_path / "exported.certificate"
    there.write_bytes(b"")
    for text in ("server.pem", "export.p12", "./anything", "/etc/anything", str(there)):
        assert read_target(text).file == text
    assert read_target("ssm.example.com").file is None


@given(st.text(max_size=400))
@example("\ud800")
@example("[::1]]:1")
@example("a" * 400)
def test_no_text_is_too_strange(text: str) -> None:
    """Whatever is given becomes a target with a host, a file, or at least one flaw; nothing is raised."""
    target = read_target(text)
    assert target.host is not None or target.file is not None or target.flaws
    target.label.encode()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.9", "192.0.2.9", None),
        ("192.0.2.9:4444", "192.0.2.9", 4444),
        ("2001:db8::9", "2001:db8::9", None),
        ("[2001:db8::9]", "2001:db8::9", None),
        ("[2001:db8::9]:4444", "2001:db8::9", 4444),
        ("node.example.com:1", "node.example.com", 1),
    ],
)
def test_nodes_are_read(text: str, host: str, port: int | None) -> None:
    """A node is a host, with a port of its own where it has one."""
    found, its_port = read_authority(text)
    assert (found.text, its_port) == (host, port)


# --- Inventories ----------------------------------------------------------------------------------


def test_an_inventory_as_people_keep_it() -> None:
    """A byte order mark, comments, blank lines, CSV with and without a header, spaces: one target a line."""
    data = "\ufeff# sites\r\n\r\nhttps://192.0.2.14\r\n  192.0.2.15:4443  \r\nBonn,https://192.0.2.16/\r\n".encode()
    found = read_inventory(data, "sites")
    assert [(each.host.text, each.name) for each in found if each.host] == [
        ("192.0.2.14", None),
        ("192.0.2.15", None),
        ("192.0.2.16", "Bonn"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "name,url\nBonn,192.0.2.14\n",
        "URL;Site\n192.0.2.14;Bonn\n",
        'site,model,host\n"Bonn",C9300,192.0.2.14\n',
        "Bonn\thttps://192.0.2.14/\n",
        '"Bonn",https://192.0.2.14/\n',
    ],
)
def test_columns_are_found(text: str) -> None:
    """By a header in any order, else by what looks like a URL, else the second column."""
    (found,) = read_inventory(text.encode(), "sites.csv")
    assert found.host is not None
    assert (found.host.text, found.name) == ("192.0.2.14", "Bonn")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_encodings_that_windows_writes(encoding: str) -> None:
    """UTF-16 with a byte order mark is read as well; without one its targets are flawed."""
    data = "Köln,https://192.0.2.14/\n".encode(encoding)
    (found,) = read_inventory(data, "sites")
    assert found.name == "Köln" if encoding != "utf-16-be" else found is not None


def test_what_stands_twice_is_checked_once_and_said() -> None:
    """Two spellings of one URL are one target, with both places."""
    found = merge(read_inventory(b"https://192.0.2.14/\n192.0.2.15\n192.0.2.14:443\n", "sites"))
    assert [each.repeated for each in found] == [("sites:1", "sites:3"), ()]


def test_garbage_lines_are_findings() -> None:
    """Bytes that are no text, and lines that are no targets, are read as flawed targets."""
    found = read_inventory(b'\xff\xfe\x00\xd8\n\x80\x81,\n,,,\n"unclosed\n', "sites")
    assert all(each.flaws or each.host for each in found)
    assert read_inventory(b"", "sites") == []


def test_a_hundred_thousand_lines_are_read_quickly() -> None:
    """An inventory of 100,000 URLs is read in seconds; the parse alone, nothing is connected to."""
    data = "\n".join(f"site-{n},https://10.{n >> 16}.{n >> 8 & 255}.{n & 255}/" for n in range(100_000))
    began = time.process_time()
    found = merge(read_inventory(data.encode(), "sites"))
    assert len(found) == 100_000
    assert time.process_time() - began < 20
