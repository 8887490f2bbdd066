"""The REST API of a real cluster, over TLS by the VIP, through failovers."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from mock_server import Cluster

pytestmark = pytest.mark.real
LAB = "/api/v1/accounts/Lab"


class Api:
    """A session that trusts the cluster only, with an access token of a client of `Lab`."""

    def __init__(self, ssm: Cluster, folder: Path) -> None:
        self.ssm = ssm
        anchor = folder / "anchor.pem"
        anchor.write_text(ssm.trust_anchor, encoding="utf-8")
        self.anchor = str(anchor)
        self.url = ssm.gui_url.rstrip("/") + "/backend"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = self.anchor
        self.client = ssm.ask("api-client.create", name="robot")
        self.sign_in()

    def sign_in(self) -> None:
        asked = {"grant_type": "client_credentials"}
        asked |= {name: self.client[name] for name in ("client_id", "client_secret")}
        answer = self.session.post(f"{self.url}/oauth/token", json=asked, timeout=10)
        assert answer.status_code == 200, answer.text
        self.bearer = f"Bearer {answer.json()['access_token']}"
        self.session.headers["Authorization"] = self.bearer

    def get(self, path: str) -> Any:
        answer = self.session.get(self.url + path, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, said: Any = None) -> requests.Response:
        return self.session.post(self.url + path, json=said, timeout=10)

    def until_answered(self, path: str) -> Any:
        """As automation does it: again after a failed connection or a 502 or 503."""
        end = time.monotonic() + 15
        while True:
            try:
                answer = self.session.get(self.url + path, timeout=10)
            except requests.ConnectionError:
                answer = None
            if answer is not None and answer.status_code not in (502, 503):
                assert answer.status_code == 200, answer.text
                return answer.json()
            assert time.monotonic() < end
            time.sleep(0.02)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with Cluster() as ssm:
        yield Api(ssm, tmp_path)


def test_an_access_token_survives_a_failover_and_what_was_made_is_there(api: Api) -> None:
    """Killed right after an answer: the other server knows the token, what was made, and who made it."""
    assert api.post(f"{LAB}/virtual-accounts", {"name": "after / the kill"}).status_code == 200
    api.ssm.kill("primary")
    listed = api.until_answered(f"{LAB}/virtual-accounts")["virtualAccounts"]
    assert [one["name"] for one in listed] == ["Default", "after / the kill"]
    assert api.ssm.active == "secondary"
    (made,) = [one for one in api.ssm.ask("event.list")["events"] if "after / the kill" in one["event"]]
    assert (made["by"], made["node"]) == ("API client robot", "primary")
    api.ssm.ask("api-client.delete", client_id=api.client["client_id"])
    assert api.session.get(f"{api.url}{LAB}/virtual-accounts", timeout=10).status_code == 403


def test_an_expired_access_token_is_told_from_an_unknown_one(api: Api) -> None:
    """401 with WWW-Authenticate, by the clock of licensing, and 403; a new one is good again."""
    api.ssm.clock.advance(3601)
    answer = api.session.get(f"{api.url}{LAB}/virtual-accounts", timeout=10)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert answer.json()["code"] == "access-token-expired"
    api.sign_in()
    api.get(f"{LAB}/virtual-accounts")


def test_a_user_of_the_server_signs_in(api: Api) -> None:
    """The first administrator's password gets an access token for all accounts."""
    asked = {"grant_type": "password", "username": "admin", "password": api.ssm.admin_password}
    answer = api.session.post(f"{api.url}/oauth/token", data=asked, timeout=10)
    assert answer.status_code == 200, answer.text


def test_changes_in_flight_at_a_failover_are_there_or_were_refused(api: Api) -> None:
    """Virtual accounts are made all the time while the Active stops and dies: each that was acknowledged is
    there, none that was refused with 502 or 503, and no answer was anything else but "not known"."""
    acknowledged: list[str] = []
    refused: list[str] = []
    stop = threading.Event()
    odd: list[str] = []

    def make(worker: int) -> None:
        session = requests.Session()
        session.trust_env = False
        number = 0
        while not stop.is_set():
            name = f"{worker}-{number}"
            number += 1
            try:
                answer = session.post(
                    f"{api.url}{LAB}/virtual-accounts",
                    json={"name": name},
                    headers={"Authorization": api.bearer},
                    verify=api.anchor,
                    timeout=10,
                )
            except requests.ConnectionError:
                continue
            if answer.status_code == 200:
                acknowledged.append(name)
            elif answer.status_code in (502, 503):
                refused.append(name)
                if "retry-after" not in answer.headers:
                    odd.append(answer.text)
            elif answer.json()["code"] != "outcome-unknown":
                odd.append(answer.text)

    workers = [threading.Thread(target=make, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    try:
        for switch in (lambda: api.ssm.stop("primary"), lambda: api.ssm.kill("secondary"), None):
            before = len(acknowledged)
            while len(acknowledged) < before + 20:
                time.sleep(0.005)
            if switch is not None:
                switch()
                api.ssm.start("primary")
                api.until_answered(f"{LAB}/virtual-accounts")
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert not odd
    there = {one["name"] for one in api.get(f"{LAB}/virtual-accounts")["virtualAccounts"]}
    assert set(acknowledged) <= there
    assert not there.intersection(refused)


def test_a_rate_limit_is_told_with_retry_after(api: Api) -> None:
    """Off by default; after two calls of a minute 429, with the seconds to wait; off again it goes on."""
    api.ssm.ask("rest-api", rate_limit=2)
    answers = [api.session.get(f"{api.url}{LAB}/virtual-accounts", timeout=10) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "too-many-calls"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 30
    api.ssm.ask("rest-api", rate_limit=0)
    api.get(f"{LAB}/virtual-accounts")


def test_a_standby_answers_no_call(api: Api) -> None:
    """Only the Active listens, on the VIP and on its own address."""
    nodes = api.ssm.config.nodes
    for node, listens in ((nodes.primary, True), (nodes.secondary, False)):
        try:
            socket.create_connection((node.host, node.gui_port), 5).close()
        except ConnectionRefusedError:
            assert not listens
        else:
            assert listens


@pytest.mark.parametrize("way", ["declared", "chunked"])
def test_a_body_that_is_too_large_is_refused_unread(api: Api, way: str) -> None:
    """2 MiB, with its length or in chunks: 413 as JSON, and the connection is closed."""
    context = ssl.create_default_context(cafile=api.anchor)
    vip = api.ssm.vip
    declared = b"content-length: 2097152" if way == "declared" else b"transfer-encoding: chunked"
    with (
        socket.create_connection((vip.host, vip.gui_port), 10) as plain,
        context.wrap_socket(plain, server_hostname=vip.host) as sock,
    ):
        head = f"POST {LAB}/licenses HTTP/1.1\r\nHost: {vip.host}\r\nAuthorization: {api.bearer}\r\n"
        sock.sendall(head.encode() + declared + b"\r\n\r\n")
        if way == "chunked":
            for _ in range(17):
                sock.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        answer = b""
        while part := sock.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "body-too-large"
