"""The verbs of `smartlic` beside those of `test_client`: renew, transports, policy, settings, clean."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import pytest

from smartlic_client.cli import cli
from smartlic_client.device import Device
from smartlic_client.protocol.identity import Udi
from smartlic_client.protocol.messages import TrustRequest
from tests.cli.harness import Lab, assert_error, inside, like_others, record_of, serial, shell
from tests.support import DNA, new_addresses, program, token

pytestmark = pytest.mark.real


def _verbs(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                found += _verbs(inner, (*path, name))
    return found


@pytest.mark.parametrize("verb", _verbs(cli), ids=" ".join)
def test_every_verb_and_the_verbs_of_verbs_explain_themselves(tmp_path: Path, verb: tuple[str, ...]) -> None:
    """`--help` is on standard output, exits 0, needs no device, and says more than the usage."""
    done = inside("smartlic", tmp_path).run(*verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(" ".join(["Usage: smartlic", *verb, "["]))
    assert len(done.stdout.splitlines()) > 8


# ---- renew ------------------------------------------------------------------------------------------------
def test_renewing_the_id_certificate_and_the_authorization(lab: Lab, tmp_path: Path) -> None:
    """`renew auth` tells the counts; `renew id` sends the renewal. Neither can be without a registration."""
    folder = lab.device(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    for verb in ("id", "auth"):
        assert_error(smartlic.run("renew", verb), "not-registered", 1)
    assert_error(smartlic.run("renew", "everything"), "usage", 64)
    smartlic.json("register", "--token", "-", stdin=token(lab.stage))
    smartlic.json("request", DNA, "2")
    assert smartlic.json("renew", "auth")["authorization"] == "authorized"
    before = record_of(folder)
    assert before.identity is not None
    said = smartlic.json("renew", "id")
    after = record_of(folder)
    assert after.identity is not None
    assert after.sequence == before.sequence + 1
    assert said["serial_number"] == after.identity.serial_number != before.identity.serial_number
    assert said["registration_expires"] == after.identity.valid_until > 0
    assert (after.identity.piid, after.identity.key) == (before.identity.piid, before.identity.key)
    there = lab.instance(folder)
    assert there is not None
    assert there["renewed_at"] is not None
    assert smartlic.run("renew", "id").stdout == "ID certificate renewed\n"
    assert smartlic.json("renew", "auth")["authorization"] == "authorized"  # signed with the renewed one


# ---- transports -------------------------------------------------------------------------------------------
def test_transports_by_name(tmp_path: Path) -> None:
    """The URL alone, a transport with a host, a transport alone: each gives the URL that it should."""
    Device.create(tmp_path / "x", Udi(pid="P", sn="1"))
    smartlic = inside("smartlic", tmp_path)
    host, gateway = "https://ssm.example.com:4443", "/Transportgateway/services/DeviceRequestHandler"
    assert_error(smartlic.run("transport", "smart"), "no-destination", 1)
    cases = [
        ([f"{host}/SmartTransport"], "smart", f"{host}/SmartTransport"),
        (["callhome"], "callhome", host + gateway),
        (["smart", host], "smart", f"{host}/SmartTransport"),
        (["smart"], "smart", f"{host}/SmartTransport"),
        (["callhome", f"{host}/"], "callhome", host + gateway),
        (["callhome", f"{host}/elsewhere"], "callhome", f"{host}/elsewhere"),
        (["cslu", f"{host}/cslu/v1/pi/Lab%20One-1"], "cslu", f"{host}/cslu/v1/pi/Lab%20One-1"),
        (["off"], "off", f"{host}/cslu/v1/pi/Lab%20One-1"),
        (["smart"], "smart", f"{host}/SmartTransport"),
    ]
    for call, kind, url in cases:
        assert smartlic.json("transport", *call) == {"ok": True, "url": url, "transport": kind}, call
        assert record_of(tmp_path / "x").transport_off == (kind == "off")
    for call, code, exit_code in [
        (["smart", host + gateway], "another-transport", 1),
        (["callhome", f"{host}/SmartTransport"], "another-transport", 1),
        (["cslu", host], "cslu-account-needed", 1),
        (["cslu"], "cslu-account-needed", 1),
        (["gateway", host], "usage", 64),
        (["off", host], "usage", 64),
        (["gateway"], "bad-url", 1),
    ]:
        assert_error(smartlic.run("transport", *call), code, exit_code)
    assert Device.peek(tmp_path / "x")[1].url == f"{host}/SmartTransport"


def test_cslu_takes_the_account_from_the_registration(lab: Lab, tmp_path: Path) -> None:
    """A registered device knows its local account: `transport cslu` needs no more."""
    lab.registered(tmp_path)
    said = inside("smartlic", tmp_path).json("transport", "cslu")
    assert said["url"] == f"https://{lab.vip}:4443/cslu/v1/pi/Lab%20Smart%20Account-1"


def test_nothing_is_sent_while_the_transport_is_off(lab: Lab, tmp_path: Path) -> None:
    """Registering is refused with what to do; a change of counts is kept."""
    folder = lab.device(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    smartlic.json("transport", "off")
    secret = token(lab.stage)
    assert_error(smartlic.run("register", "--token", "-", stdin=secret), "transport-off", 1)
    assert (record_of(folder).in_flight, lab.uses(secret)) == (None, 0)
    smartlic.json("transport", "callhome")
    assert smartlic.json("register", "--token", "-", stdin=secret)["changed"] is True


def test_a_reservation_is_refused(tmp_path: Path) -> None:
    """Whatever is said behind it, with a device or without one: not offered, and what is in its place."""
    smartlic = inside("smartlic", tmp_path)
    for words in ([], ["request", "local"], ["install", "--x", "y"]):
        error = assert_error(
            smartlic.run("--format", "json", "reservation", *words), "reservation-not-offered", 1
        )
        assert "smartlic policy" in error["mend"]


# ---- Smart Licensing Using Policy -------------------------------------------------------------------------
def test_usage_by_file(lab: Lab, tmp_path: Path) -> None:
    """A device without a connection: policy, counts, reports into a file; only an acknowledgement is one."""
    folder = lab.device(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    assert_error(smartlic.run("sync"), "uses-no-policy", 1)
    assert_error(smartlic.run("report", "--save", str(tmp_path / "r.json")), "uses-no-policy", 1)
    assert_error(smartlic.run("policy", "--interval", "366"), "bad-interval", 1)
    smartlic.json("transport", "off")
    assert smartlic.json("policy", "--interval", "7")["interval_days"] == 7
    assert_error(smartlic.run("register", "--token", "-", stdin=token(lab.stage)), "transport-off", 1)
    smartlic.json("request", DNA, "3")
    done = smartlic.json("sync")
    assert [one["tag"] for one in done["reports"]] == [DNA]
    saved = tmp_path / "r.json"
    said = smartlic.json("report", "--save", str(saved))
    assert [one["state"] for one in said["reports"]] == ["unacknowledged"]
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert len(json.loads(json.loads(saved.read_text())["content"])["reports"]) == 1
    assert smartlic.run("sync").stdout.endswith("to save: the transport is off\n")
    bad = tmp_path / "ack.json"
    for content in (b"", b"{}", saved.read_bytes(), b"\xff" * 100):
        bad.write_bytes(content)
        assert_error(smartlic.run("report", "--import", str(bad)), "acknowledgement-unreadable", 1)
    assert_error(smartlic.run("report", "--import", str(tmp_path / "none")), "usage", 64)
    assert_error(smartlic.run("report", "--save", "a", "--import", str(bad)), "usage", 64)
    no_room = smartlic.run("report", "--save", str(tmp_path / "no" / "r.json"))
    assert_error(no_room, "file-unwritable", 1)
    assert record_of(folder).usage is not None
    _carried(lab, folder, saved)


def _carried(lab: Lab, folder: Path, saved: Path) -> None:
    """To the server and back, twice; what was counted there is counted once."""
    smartlic = inside("smartlic", folder.parent)
    ack = saved.with_name("acknowledgement with a blank")
    mock = ["instance", "import-usage", str(saved), str(ack)]
    done = lab.mock.json(*mock)
    assert (done["name"], done["reports"], done["new"]) == ("annanr-39", 1, 1)
    there = lab.instance(folder)
    assert there is not None
    assert (there["reports"], there["mode"], there["licenses"][0]["count"]) == (1, "SL Using Policy", 3)
    assert smartlic.json("report", "--import", str(ack))["acknowledged"] == 1
    assert smartlic.run("report", "--import", str(ack)).stdout == "Nothing new: acknowledged before\n"
    past = smartlic.run("show", "license", "history", "message").stdout
    assert "Import RUM ACK:\n  2 past Import messages\n" in past
    assert "Last report file write: <none>" not in smartlic.run("show", "license", "status").stdout
    later = json.loads(json.loads(saved.read_text())["content"])["reports"]
    assert (
        smartlic.json("report", "--save", str(saved))["saved"] == len(later) == 1
    )  # closed by the second sync
    half = saved.with_name("half")
    half.write_bytes(saved.read_bytes()[:100])
    assert_error(lab.mock.run(*mock[:2], str(half), str(ack)), "usage-file-damaged", 1)
    assert_error(lab.mock.run(*mock[:2], str(ack), str(half)), "usage-file-damaged", 1)
    assert half.stat().st_size == 100
    no_place = lab.mock.run(*mock[:3], str(saved / "ack"))
    assert_error(no_place, "cannot-write", 1)


def test_the_page_on_usage_without_a_connection(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the page tells to type does what it says: on the device, on the server, on the device again."""
    monkeypatch.chdir(tmp_path)
    Device.create(tmp_path / "pi37", Udi(pid="PI", sn=serial(tmp_path, "pi37")), hostname="pi37")
    (tmp_path / "anchor.pem").write_bytes(lab.anchor)
    page = Path(__file__).parents[2] / "docs/how-to/report-usage-without-a-connection.md"
    typed = re.findall(r"^\$ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    tools = {"smartlic": inside("smartlic", tmp_path), "smartlic-mock": lab.mock}
    said = ""
    for line in typed:
        name, *words = line.split()
        done = tools[name].run(*words)
        assert (done.returncode, done.stderr) == (0, ""), line
        said = done.stdout
    assert len(typed) > 6
    assert said == "Acknowledged 1 usage report\n"
    shelled = tools["smartlic"].run("shell", stdin="license smart import acknowledgement.json\n")
    assert shelled.stdout == "Nothing new: acknowledged before\n"


def test_usage_by_network(lab: Lab, tmp_path: Path) -> None:
    """A trust code spends one use; `sync` and `report` send reports, each is acknowledged and kept once."""
    folder = lab.device(tmp_path, url=lab.url("/cslu/v1/pi/Lab-1"))
    smartlic = inside("smartlic", tmp_path)
    secret = token(lab.stage)
    smartlic.json("policy")
    smartlic.json("request", DNA, "3")
    done = smartlic.json("trust", "idtoken", "--token", "-", stdin=secret)
    assert (done["resumed"], done["trusted_at"] is not None, lab.uses(secret)) == (False, True, 1)
    assert_error(smartlic.run("trust", "idtoken", "--token", "-", stdin=secret), "trusted-already", 1)
    smartlic.json("trust", "idtoken", "--force", "--token", "-", stdin=token(lab.stage))
    done = smartlic.json("sync")
    assert {one["state"] for one in done["reports"]} == {"acknowledged"}
    assert smartlic.run("report").stdout == "All usage reports are acknowledged\n"
    there = lab.instance(folder)
    assert there is not None
    assert there["reports"] == len(smartlic.json("sync")["reports"]) - 1 > 0
    assert [used["count"] for used in there["licenses"]] == [3]


def test_a_trust_code_that_cannot_be_fetched_yet(lab: Lab, tmp_path: Path) -> None:
    """The request is kept with its token, which is shown nowhere; the file anchors of `trust` still work."""
    url = f"https://{new_addresses().vip}:4443/SmartTransport"
    folder = lab.device(tmp_path, url=url)
    smartlic = inside("smartlic", tmp_path)
    secret = token(lab.stage)
    assert_error(smartlic.run("trust", "idtoken", "--token", "-", stdin=secret), "uses-no-policy", 1)
    smartlic.json("policy")
    done = smartlic.run("trust", "idtoken", "--token", "-", stdin=secret)
    assert_error(done, "connection-refused", 2)
    assert isinstance(record_of(folder).in_flight, TrustRequest)
    assert secret not in done.stdout + done.stderr
    assert_error(smartlic.run("trust", "idtoken", secret), "usage", 64)
    assert secret not in smartlic.run("trust", "idtoken", secret).stderr
    for call in ([str(lab.anchor_file)], ["anchor", str(lab.anchor_file)], ["anchor", "-"], ["-"]):
        assert len(smartlic.json("trust", *call, stdin=lab.anchor.decode())["anchors"]) == 1


# ---- settings ---------------------------------------------------------------------------------------------
def _configured(tmp_path: Path, text: str) -> Any:
    """`smartlic` with a configuration file."""
    file = tmp_path / "config.toml"
    file.write_text(text)
    smartlic = inside("smartlic", tmp_path / "devices")
    del smartlic.environment["SMARTLIC_HOME"]
    smartlic.environment["SMARTLIC_CONFIG"] = str(file)
    return smartlic


def test_file_environment_and_options_in_that_order(tmp_path: Path) -> None:
    """Each setting by default, from the file, the environment, an option before and behind the verb."""
    file, home = tmp_path / "config.toml", tmp_path / "h"
    smartlic = _configured(tmp_path, f'home = "{home}"\ndevice = "by-file"\nwait = 7\n')
    said = smartlic.json("config")
    assert said["file"] == str(file)
    got = {name: (each["value"], each["source"]) for name, each in said["settings"].items()}
    assert got == {
        "home": (str(home), f"file {file}"),
        "device": ("by-file", f"file {file}"),
        "format": ("json", "option --format"),
        "proxy": (None, "default"),
        "wait": (7.0, f"file {file}"),
    }
    smartlic.environment |= {"SMARTLIC_DEVICE": "by-environment", "SMARTLIC_WAIT": "9"}
    smartlic.environment["SMARTLIC_FORMAT"] = "json"
    said = json.loads(smartlic.run("config").stdout)["settings"]
    assert said["device"] == {
        "value": "by-environment",
        "source": "environment SMARTLIC_DEVICE",
        "help": "which device",
    }
    assert (said["wait"]["value"], said["wait"]["source"]) == (9.0, "environment SMARTLIC_WAIT")
    assert said["format"]["source"] == "environment SMARTLIC_FORMAT"
    for call in (["-d", "by-option", "config"], ["config", "--device", "by-option"]):
        said = json.loads(smartlic.run(*call).stdout)["settings"]["device"]
        assert (said["value"], said["source"]) == ("by-option", "option --device")


def test_the_file_counts_for_every_verb(tmp_path: Path) -> None:
    """Home, device and form of the file are those of the verbs; an option still wins."""
    home = tmp_path / "h"
    for name in ("a", "b"):
        Device.create(home / name, Udi(pid="P", sn=name), hostname=name)
    smartlic = _configured(tmp_path, f'home = "{home}"\ndevice = "b"\nformat = "json"\n')
    assert json.loads(smartlic.run("show", "status").stdout)["hostname"] == "b"
    assert json.loads(smartlic.run("show", "status", "-d", "a").stdout)["hostname"] == "a"
    assert smartlic.run("show", "status", "--format", "text").stdout.startswith("Smart Licensing")


@pytest.mark.parametrize(
    "text",
    [
        "home = 3",
        "nonsense = true",
        "wait = -1",
        "wait = true",
        'format = "xml"',
        "home",
        "\x00",
        'wait = "3"',
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, text: str) -> None:
    """It is named, with what is wrong in it; nothing is done by half of a configuration."""
    smartlic = _configured(tmp_path, text)
    error = assert_error(smartlic.run("--format", "json", "config"), "config-unreadable", 1)
    assert error["context"]["path"] == str(tmp_path / "config.toml")
    smartlic.environment["SMARTLIC_CONFIG"] = str(tmp_path / "gone.toml")
    assert_error(smartlic.run("show", "status"), "config-unreadable", 1)


def test_a_proxy_that_does_not_connect_is_said_to_be_the_proxy(lab: Lab, tmp_path: Path) -> None:
    """From file, environment and option: the error speaks of the proxy; its password is shown nowhere."""
    folder = lab.device(tmp_path)
    nowhere = new_addresses().vip
    proxy = f"http://op:geheim@{nowhere}:3128"
    (tmp_path / "config.toml").write_text(f'proxy = "{proxy}"\n')
    secret = token(lab.stage)
    for environment, options in (
        ({"SMARTLIC_CONFIG": str(tmp_path / "config.toml")}, []),
        ({"SMARTLIC_PROXY": proxy}, []),
        ({}, ["--proxy", proxy]),
    ):
        smartlic = inside("smartlic", tmp_path)
        smartlic.environment |= environment
        done = smartlic.run("register", *options, "--token", "-", stdin=secret)
        assert "proxy" in assert_error(done, "proxy-failed", 2)["sentence"]
        shown = smartlic.run("config", *options)
        assert f"http://***@{nowhere}:3128" in shown.stdout
        assert "geheim" not in done.stdout + done.stderr + shown.stdout + shown.stderr
    ignored = inside("smartlic", tmp_path)
    ignored.environment |= {"HTTPS_PROXY": proxy, "https_proxy": proxy, "ALL_PROXY": proxy}
    assert ignored.json("register", "--token", "-", stdin=secret)["changed"] is True
    bad = ignored.run("report", "--proxy", "socks5://op:geheim@127.0.0.1:1")
    assert "proxy" in assert_error(bad, "bad-proxy", 1)["sentence"]
    assert "geheim" not in bad.stderr
    assert record_of(folder).in_flight is None


# ---- privacy, custom id, factory reset --------------------------------------------------------------------
def test_what_is_private_is_not_told(lab: Lab, tmp_path: Path) -> None:
    """The switches are kept, shown, and count for the registration: the server learns no hostname."""
    folder = lab.device(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    assert smartlic.json("privacy", "hostname") | {"ok": True} == {
        "ok": True,
        "hostname_private": True,
        "version_private": False,
    }
    assert smartlic.json("privacy", "all", "on")["version_private"] is True
    assert smartlic.json("privacy", "version", "off")["hostname_private"] is True
    assert_error(smartlic.run("privacy", "serial"), "usage", 64)
    assert smartlic.json("custom-id", "Schrank 7 Ü")["custom_id"] == "Schrank 7 Ü"
    assert_error(smartlic.run("custom-id"), "usage", 64)
    assert_error(smartlic.run("custom-id", "x", "--none"), "usage", 64)
    assert_error(smartlic.run("custom-id", "a\nb"), "bad-text", 1)
    smartlic.json("register", "--token", "-", stdin=token(lab.stage))
    there = lab.instance(folder)
    assert there is not None
    assert there["name"] == str(record_of(folder).udi)
    assert "Sending Hostname: no" in smartlic.run("show", "status").stdout
    assert smartlic.json("custom-id", "--none")["custom_id"] is None


def test_a_factory_reset_keeps_the_device(lab: Lab, tmp_path: Path) -> None:
    """Nothing without a yes; then the licensing is gone, UDI and settings stay, and it can register again."""
    folder = lab.registered(tmp_path)
    smartlic = inside("smartlic", tmp_path)
    before = record_of(folder)
    assert before.identity is not None
    done = smartlic.run("factory-reset", stdin="n\n")
    assert (done.returncode, "[clean-not-confirmed]" in done.stderr) == (1, True)
    assert record_of(folder) == before
    done = smartlic.run("factory-reset", stdin="y\n")
    assert (done.returncode, before.identity.piid in done.stderr) == (0, True)
    after = record_of(folder)
    assert (after.udi, after.identity, after.history) == (before.udi, None, [])
    assert Device.peek(folder)[1].url == lab.url()
    assert_error(smartlic.run("register", "--token", "-", stdin=token(lab.stage)), "already-registered", 1)
    smartlic.json("register", "--token", "-", "--force", stdin=token(lab.stage))


# ---- clean ------------------------------------------------------------------------------------------------
def test_clean_asks_and_removes_local_data_only(lab: Lab, tmp_path: Path) -> None:
    """Nothing without a yes; then the folder goes, and the server still has the instance, which is said."""
    folder = lab.registered(tmp_path)
    instance = lab.stage.ask("instance.list")["instances"]
    smartlic = inside("smartlic", tmp_path)
    before = (folder / "device.json").read_bytes()
    for answer in ("", "\n", "n\n", "nonsense\n"):
        done = smartlic.run("clean", stdin=answer)
        assert done.stderr.startswith("Remove all local data of annanr-39, which is registered? [y/N] ")
        assert (done.returncode, "[clean-not-confirmed]" in done.stderr) == (1, True)
    assert (folder / "device.json").read_bytes() == before
    (folder / "device.json.damaged-1").write_bytes(b"{")
    done = smartlic.run("clean", stdin="yes\n")
    assert (done.returncode, done.stdout) == (0, f"Removed the data in {folder}\n")
    assert "note: the server still knows the product instance" in done.stderr
    assert not folder.exists()
    assert lab.stage.ask("instance.list")["instances"] == instance
    assert_error(smartlic.run("clean", "--yes"), "no-device", 1)


def test_clean_leaves_what_is_not_ours_and_helps_a_damaged_device(tmp_path: Path) -> None:
    """A file of somebody else stays with its folder; a state that nobody can read can be removed."""
    folder = tmp_path / "x"
    Device.create(folder, Udi(pid="P", sn="1"))
    (folder / "device.json").write_bytes(b'{"half')
    (folder / "notes.txt").write_text("mine")
    smartlic = inside("smartlic", tmp_path)
    assert smartlic.json("clean", "--yes", "-d", "x")["piid"] is None
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    done = like_others(program("smartlic", tmp_path), "-d", "y", "clean", "--yes")
    assert_error(done, "no-device", 1)


# ---- support bundle ---------------------------------------------------------------------------------------
def _texts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_a_support_bundle_holds_no_secret(lab: Lab, tmp_path: Path) -> None:
    """Planted: tokens in flight and elsewhere, keys, trust code, proxy's password. None is in the bundle."""
    secret = token(lab.stage)
    waiting = lab.device(tmp_path, "waiting", url=f"https://{new_addresses().vip}:4443")
    registered = lab.registered(tmp_path, "registered")
    smartlic = inside("smartlic", tmp_path)
    assert smartlic.run("-d", "waiting", "register", "--token", "-", stdin=secret).returncode == 2
    for folder in (waiting, registered):  # where no secret belongs, one got in
        file = folder / "device.json"
        data = json.loads(file.read_text())
        data["state"]["record"]["custom_id"] = f"slip {secret}"
        data["state"]["settings"]["proxy"] = "http://op:geheim%2F1@proxy.example.com:3128"
        file.write_text(json.dumps(data))
    with Device.open(registered) as device:
        assert device.record.identity is not None
        key = device.record.identity.key
    reporting = tmp_path / "reporting"
    Device.create(reporting, Udi(pid="P", sn="1"))
    with Device.open(reporting) as device:
        device.use_policy()
    data = json.loads((reporting / "device.json").read_text())
    data["state"]["record"]["usage"]["trust_code"] = "TRUST-CODE-0815"
    (reporting / "device.json").write_text(json.dumps(data))
    new_key = record_of(waiting).new_key
    assert new_key is not None
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "device.json").write_bytes(b"{" + secret.encode())
    smartlic.environment["SMARTLIC_PROXY"] = "http://op:hunter2@proxy.example.com:3128"
    out = tmp_path / "bundle.zip"
    said = smartlic.json("support", "bundle", "--output", str(out))
    assert (said["file"], stat.S_IMODE(out.stat().st_mode)) == (str(out), 0o600)
    files = _texts(out)
    text = "".join(files.values())
    lines = [line for pem in (key, new_key) for line in pem.splitlines() if "-----" not in line]
    for planted in (
        secret,
        quote(secret, safe=""),
        "geheim%2F1",
        "geheim/1",
        "hunter2",
        "PRIVATE KEY",
        "CODE-0815",
        *lines,
    ):
        assert (planted in text) is False, planted[:12]
    assert "[removed]" in text
    assert (
        json.loads(files["smartlic-support/registered/device.json"])["record"]["registration"] == "complete"
    )
    assert "%SMART_LIC-6-AGENT_REG_SUCCESS" in files["smartlic-support/registered/log.txt"]
    assert json.loads(files["smartlic-support/broken/error.json"])["code"] == "store-damaged"
    assert json.loads(files["smartlic-support/versions.json"])["packages"]["click"]
    one = tmp_path / "one.zip"
    smartlic.json("-d", "waiting", "support", "bundle", "--output", str(one))
    assert not any("registered" in name for name in _texts(one))


def test_a_bundle_that_cannot_be_written(tmp_path: Path) -> None:
    """It says so, and leaves no half of a file."""
    done = inside("smartlic", tmp_path).run("support", "bundle", "--output", str(tmp_path / "no" / "b.zip"))
    assert_error(done, "file-unwritable", 1)
    assert list(tmp_path.iterdir()) == []


# ---- completion -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["bash", "zsh", "fish"])
def test_completion_scripts(tmp_path: Path, kind: str) -> None:
    """Each shell gets a script that asks the program."""
    smartlic = inside("smartlic", tmp_path)
    script = smartlic.json("completion", kind)["script"]
    assert f"_SMARTLIC_COMPLETE={kind}_complete" in script
    assert smartlic.run("completion", kind).stdout.strip() == script.strip()
    assert_error(smartlic.run("completion", "tcsh"), "usage", 64)


def test_bash_completes_by_the_script(tmp_path: Path) -> None:
    """The script is sourced in a real bash; the program answers with the verbs that begin so."""
    tool = program("smartlic", tmp_path)
    script = (
        'PATH="$HERE:$PATH"; eval "$(smartlic completion bash)"; COMP_WORDS=(smartlic re); COMP_CWORD=1; '
        '_smartlic_completion smartlic; echo "${COMPREPLY[@]}"'
    )
    environment = {**tool.environment, "HERE": str(tmp_path)}
    # As the console script: the variable is named after the program.
    (tmp_path / "smartlic").write_text(
        f"#!{tool.command()[0]}\nimport sys\nsys.path.insert(0, {str(Path.cwd())!r})\n"
        "from smartlic_client.cli import main\nmain()\n"
    )
    (tmp_path / "smartlic").chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout.split() == ["register", "request", "release", "renew", "report", "reservation"], done


def test_the_bundle_by_default_is_here(tmp_path: Path) -> None:
    """Without --output it is a file with the date in the folder where one is."""
    done = shell(program("smartlic", tmp_path), f'cd "{tmp_path}" && "$@"', "support", "bundle")
    assert done.returncode == 0, done.stderr
    assert [path.suffix for path in tmp_path.glob("smartlic-support-*")] == [".zip"]
