"""Servers of others that answer with a JSON stub over TLS: WireMock, mountebank, and moto's server.

Each is set up as its makers say for a fast one (no journal of requests, no log), with one and the same
certificate, in a process of its own on 127.0.0.1.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from benchmarks.figures import SkippedError
from benchmarks.packages import environment, node_modules
from benchmarks.unavoidable import Work
from mock_server import pki

__all__ = ["STUBS", "Stub", "started"]

_NPM = ("wiremock@3", "mountebank@2")
_MOTO = ("moto[server,ssm]>=5,<6",)
_PASSWORD = "benchmark"  # of a key that is made for one run
_START = 60.0
_AWS = (
    "X-Amz-Target: AmazonSSM.GetParameter\r\nAuthorization: AWS4-HMAC-SHA256 "
    "Credential=test/20260101/us-east-1/ssm/aws4_request, SignedHeaders=host, Signature=0\r\n"
)


@dataclass(frozen=True)
class Stub:
    """A server that is up: `request` is HTTP, as bytes, that it answers with 200."""

    name: str
    pid: int
    port: int
    request: bytes


@dataclass(frozen=True)
class _Setup:
    """What a stub is made of. `heard`, `said`: bytes of a request and of its answer."""

    folder: Path
    work: Work
    port: int
    heard: int
    said: int

    @property
    def certificate(self) -> bytes:
        return b"".join(map(pki.to_pem, (self.work.product.certificate, *self.work.product.chain)))

    def file(self, name: str, content: bytes) -> str:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        return str(path)

    def body(self) -> str:
        """A JSON object of `said` bytes."""
        return json.dumps({"response": "x" * (self.said - len('{"response": ""}'))})


def _post(path: str, body: bytes, content_type: str = "application/json", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _wiremock(setup: _Setup) -> tuple[list[str], bytes]:
    jars = sorted(node_modules("peers-npm", _NPM).glob("wiremock/build/wiremock-standalone-*.jar"))
    if shutil.which("java") is None or not jars:
        raise SkippedError("there is no Java (Debian: default-jre-headless)")
    key = load_pem_private_key(setup.work.product.key_pem, None)
    store = pkcs12.serialize_key_and_certificates(
        b"peer",
        key,  # type: ignore[arg-type]
        setup.work.product.certificate,
        list(setup.work.product.chain),
        BestAvailableEncryption(_PASSWORD.encode()),
    )
    (setup.folder / "mappings").mkdir()
    mapping = {
        "request": {"method": "POST", "url": "/SmartTransport"},
        "response": {
            "status": 200,
            "body": setup.body(),
            "headers": {"Content-Type": "application/json", "Content-Length": str(setup.said)},
        },
    }
    setup.file("mappings/hello.json", json.dumps(mapping).encode())
    options = ["--disable-http", "--https-port", str(setup.port), "--bind-address", "127.0.0.1"]
    options += ["--https-keystore", setup.file("store.p12", store), "--keystore-type", "pkcs12"]
    options += ["--keystore-password", _PASSWORD, "--key-manager-password", _PASSWORD]
    options += ["--no-request-journal", "--disable-banner", "--disable-gzip", "--root-dir", str(setup.folder)]
    return ["java", "-jar", str(jars[-1]), *options], _post("/SmartTransport", b"x" * setup.heard)


def _mountebank(setup: _Setup) -> tuple[list[str], bytes]:
    program = node_modules("peers-npm", _NPM) / ".bin" / "mb"
    answer = {
        "statusCode": 200,
        "headers": {
            "Content-Type": "application/json",
            "Content-Length": str(setup.said),
            "Connection": "keep-alive",
        },
        "body": setup.body(),
    }
    imposter = {
        "port": setup.port,
        "host": "127.0.0.1",
        "protocol": "https",
        "key": setup.work.product.key_pem.decode(),
        "cert": setup.certificate.decode(),
        "stubs": [{"predicates": [{"equals": {"path": "/SmartTransport"}}], "responses": [{"is": answer}]}],
    }
    config = setup.file("imposters.json", json.dumps({"imposters": [imposter]}).encode())
    options = ["--configfile", config, "--port", str(_free_port()), "--host", "127.0.0.1", "--localOnly"]
    options += ["--nologfile", "--loglevel", "error", "--pidfile", str(setup.folder / "mb.pid")]
    return [str(program), "start", *options], _post("/SmartTransport", b"x" * setup.heard)


def _moto(setup: _Setup) -> tuple[list[str], bytes]:
    """Its stub is a parameter of AWS Systems Manager, read by its JSON protocol."""
    program = environment("peers-moto", _MOTO) / "moto_server"
    options = ["--host", "127.0.0.1", "--port", str(setup.port)]
    options += ["--ssl-cert", setup.file("chain.pem", setup.certificate)]
    options += ["--ssl-key", setup.file("key.pem", setup.work.product.key_pem)]
    asked = json.dumps({"Name": "hello", "Unused": "x" * max(setup.heard - 30, 0)})
    return [str(program), *options], _post("/", asked.encode(), "application/x-amz-json-1.1", _AWS)


STUBS: dict[str, Callable[[_Setup], tuple[list[str], bytes]]] = {
    "WireMock": _wiremock,
    "mountebank": _mountebank,
    "moto": _moto,
}


def moto_parameter(said: int) -> bytes:
    """What makes moto say about `said` bytes: a parameter of that size, less what it says besides."""
    value = {"Name": "hello", "Value": "x" * max(said - 230, 1), "Type": "String", "Tier": "Advanced"}
    return _post(
        "/",
        json.dumps(value).encode(),
        "application/x-amz-json-1.1",
        _AWS.replace("GetParameter", "PutParameter"),
    )


@contextmanager
def started(name: str, folder: Path, work: Work, *, heard: int, said: int) -> Iterator[Stub]:
    """The server `name`; it hears requests of `heard` bytes and answers with `said`. Raises SkippedError."""
    folder.mkdir(mode=0o700)
    setup = _Setup(folder, work, _free_port(), heard, said)
    command, request = STUBS[name](setup)
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},
            start_new_session=True,
        )
    try:
        _until_open(process, setup.port, name, log)
        yield Stub(name, process.pid, setup.port, request)
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_open(process: subprocess.Popen[bytes], port: int, name: str, log: Path) -> None:
    until = time.monotonic() + _START
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SkippedError(f"{name} does not start: {log.read_text(errors='replace').strip()[-300:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
