"""How SSM On-Prem reaches CSSM: a narrow seam, the same over a socket and within a process.

    CssmClient.over_socket(folder / "cssm")     CSSM is a process; its folder names its socket
    LocalCssm(CssmService(None)).port           CSSM in this process, in memory (or give it a folder)

`LocalCssm.dispatch({"op": "cssm.purchase.add", …})` is its portal; there "cssm.stop", "cssm.kill" and
"cssm.start" take it off its network and put it back.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
from cryptography import x509

from mock_server.cluster.client import revive
from mock_server.cluster.control import LINE_LIMIT
from mock_server.cssm.problems import CSSM_TIMEOUT, CSSM_UNREACHABLE
from mock_server.cssm.service import CssmService
from smartlic_client.protocol import signing

__all__ = ["TIMEOUT", "CssmClient", "CssmPort", "LocalCssm"]

TIMEOUT = 8.0
"""Seconds for an answer of CSSM."""

Ask = Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]


class CssmPort(Protocol):
    """What SSM On-Prem asks of CSSM. All raise its problems; `timeout` in seconds."""

    async def anchor(self) -> x509.Certificate:
        """The licensing root's certificate."""

    async def certify_authority(
        self, common_name: str, public_key: signing.PublicKey
    ) -> tuple[x509.Certificate, ...]:
        """Certify SSM On-Prem's own CA, which may have one more authority below it; its chain, no root."""

    async def synchronize(self, request: bytes, timeout: float = TIMEOUT) -> bytes:  # noqa: ASYNC109
        """The answer to a request, both as documents (`domain.documents`)."""


class CssmClient:
    """CSSM over anything that carries a request to it."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    @classmethod
    def over_socket(cls, folder: Path) -> CssmClient:
        return cls(_Socket(folder / "control.json"))

    async def anchor(self) -> x509.Certificate:
        found = await self._answer({"op": "cssm.anchor"}, TIMEOUT)
        return x509.load_pem_x509_certificate(found["anchor"].encode())

    async def certify_authority(
        self, common_name: str, public_key: signing.PublicKey
    ) -> tuple[x509.Certificate, ...]:
        key = base64.b64encode(signing.public_key_bytes(public_key)).decode()
        request = {"op": "cssm.certify", "common_name": common_name, "public_key": key}
        found = await self._answer(request, TIMEOUT)
        return tuple(x509.load_der_x509_certificate(base64.b64decode(c)) for c in found["chain"])

    async def synchronize(self, request: bytes, timeout: float = TIMEOUT) -> bytes:  # noqa: ASYNC109
        found = await self._answer({"op": "cssm.synchronize", "request": request.decode()}, timeout)
        return str(found["answer"]).encode()

    async def _answer(self, request: dict[str, Any], seconds: float) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(request)
        except TimeoutError:
            raise CSSM_TIMEOUT(seconds=seconds, retry_after=60) from None


class _Socket:
    """One request on a connection of its own. `record`: the file that names the socket."""

    def __init__(self, record: Path) -> None:
        self._record = record

    async def __call__(self, request: dict[str, Any]) -> Mapping[str, Any]:
        try:
            path = json.loads(self._record.read_bytes())["control"]
            reader, writer = await asyncio.open_unix_connection(path, limit=LINE_LIMIT)
        except (OSError, ValueError, KeyError):
            raise CSSM_UNREACHABLE(why="it is not running", retry_after=60) from None
        try:
            writer.write(msgspec.json.encode(request) + b"\n")
            line = await reader.readline()
        except (OSError, ValueError) as error:
            raise CSSM_UNREACHABLE(why=f"the connection broke ({error})", retry_after=60) from None
        finally:
            writer.close()
        if not line:
            raise CSSM_UNREACHABLE(why="the connection was closed", retry_after=60)
        said: dict[str, Any] = json.loads(line)
        if "error" in said:
            raise revive(said["error"])
        result: dict[str, Any] = said["result"]
        return result


class LocalCssm:
    """CSSM in this process, with a portal (`dispatch`) and the way of SSM On-Prem to it (`port`)."""

    def __init__(self, service: CssmService) -> None:
        self._service = service
        self._running = True
        self.port: CssmPort = CssmClient(self._by_network)

    async def dispatch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The portal, as it is when CSSM is a process."""
        match request.get("op"):
            case "cssm.stop" | "cssm.kill":
                changed, self._running = self._running, False
            case "cssm.start":
                changed, self._running = not self._running, True
                if changed:
                    self._service.faults.clear()
            case "cssm.status" if not self._running:
                return {"running": False}
            case _:
                self._present()
                return await self._service.dispatch(request)
        return {"running": self._running, "changed": changed}

    async def _by_network(self, request: dict[str, Any]) -> Mapping[str, Any]:
        self._present()
        return await self._service.dispatch(request)

    def _present(self) -> None:
        if not self._running:
            raise CSSM_UNREACHABLE(why="it is not running", retry_after=60)
