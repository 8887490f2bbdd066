"""What the server itself says: of its name, so that "set, but not yet synchronized" is told from a wrong
name, and of what products need there.

The seam is `ServerSide`. The mock's control socket is one, spoken to as it is documented and not imported;
the REST API of an SSM On-Prem is another.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from smartlic_client.errors import RefusedError, SmartlicError
from smartlic_client.names import Policy
from smartlic_client.preflight.observation import ServerAccount, ServerAlert, ServerApi, ServerFacts, Target
from smartlic_client.preflight.problems import SERVER_SILENT

if TYPE_CHECKING:
    from smartlic_client.onprem import Account, OnPremApi, Secret, VirtualAccount

__all__ = ["MockFolder", "RestApi", "ServerSide", "Together", "api_at"]

_LONGEST = 4 << 20
_MOST_ALERTS = 50
API_PORT = 8443


class ServerSide(Protocol):
    """Somebody who knows what is set on the server."""

    def facts(self, timeout: float) -> ServerFacts:
        """Raises `check-server-silent`."""
        ...


class _Names(msgspec.Struct, kw_only=True):
    common_name: str
    served_name: str
    pending: bool


class _Answer(msgspec.Struct):
    ok: bool = False
    result: _Names | None = None
    error: dict[str, object] = {}


class MockFolder:
    """A mock cluster on this machine, by its folder: FOLDER/control.json says where it listens."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def facts(self, timeout: float) -> ServerFacts:
        try:
            path = str(json.loads((self._folder / "control.json").read_bytes())["control"])
            answer = msgspec.json.decode(_ask(path, timeout), type=_Answer)
        except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError) as error:
            raise self._silent(getattr(error, "strerror", None) or str(error) or "no answer") from None
        if answer.result is None:
            raise self._silent(str(answer.error.get("sentence", "it refused")))
        return ServerFacts(**msgspec.structs.asdict(answer.result))

    def _silent(self, why: str) -> SmartlicError:
        return SERVER_SILENT(folder=str(self._folder), why=why.rstrip("."))


def _ask(path: str, timeout: float) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        sock.connect(path)
        sock.sendall(b'{"op":"certificates"}\n')
        with sock.makefile("rb") as answers:
            return answers.readline(_LONGEST)


class RestApi:
    """The REST API of an SSM On-Prem, asked as a client of it. What hinders it is a fact, and not raised.

    `anchors`: PEM. `wanted`: the virtual account that the products are to register in. Raises api-bad-url,
    bad-host.
    """

    def __init__(
        self,
        url: str,
        anchors: bytes,
        client: tuple[str, Secret],
        *,
        policy: Policy = Policy.COMMON_NAME,
        resolve: Mapping[tuple[str, int], str] | None = None,
        proxy: str | None = None,
        wanted: str | None = None,
    ) -> None:
        from smartlic_client.onprem.opening import BASE
        from smartlic_client.onprem.talk import Base

        Base.parse(url, BASE)
        self._url = url
        self._anchors = anchors
        self._client = client
        self._policy = policy
        self._resolve = resolve
        self._proxy = proxy
        self._wanted = wanted
        self._api: OnPremApi | None = None

    def facts(self, timeout: float) -> ServerFacts:
        """Whoever asks again and again does so with one access token. `timeout`: the first one's counts."""
        try:
            self._api = self._api or self._opened(timeout)
            with self._api as api:  # it ends the connections, and can be used again
                accounts = tuple(_account(api, each) for each in api.accounts())
        except SmartlicError as error:
            found = ServerApi(url=self._url, failure=error.sentence, mend=error.mend)
        else:
            found = ServerApi(url=self._url, accounts=accounts, wanted=self._wanted)
        return ServerFacts(api=found)

    def _opened(self, timeout: float) -> OnPremApi:
        from smartlic_client.onprem import OnPremApi  # only what asks needs requests

        name, secret = self._client
        return OnPremApi(
            self._url,
            trust=self._anchors,
            client_id=name,
            client_secret=secret,
            wait=0.0,
            page_size=_MOST_ALERTS,
            policy=self._policy,
            resolve=self._resolve,
            proxy=self._proxy,
            connect_timeout=timeout,
            read_timeout=timeout,
        )


def api_at(targets: Sequence[Target]) -> str:
    """The URL of the REST API of the targets' one host. Raises ValueError where there are several."""
    hosts = {target.host.url_text for target in targets if target.host is not None}
    if len(hosts) != 1:
        raise ValueError("--api-client asks one server: name it with --api-url, or give targets of one host")
    return f"https://{hosts.pop()}:{API_PORT}"


def _account(api: OnPremApi, account: Account) -> ServerAccount:
    """What there is to say of an account. One that is not active yet may refuse to say more."""
    path = account.domain or account.name
    there: Sequence[VirtualAccount] = account.virtual_accounts
    alerts: tuple[ServerAlert, ...] = ()
    active = account.status.casefold() in ("", "active")
    with suppress(RefusedError) if not active else nullcontext():
        there = there or api.virtual_accounts(path)
        alerts = tuple(
            ServerAlert(
                severity=each.severity, kind=each.message_type, message=each.message, source=each.source
            )
            for each in islice(api.alerts(path, ()), _MOST_ALERTS)
        )
    names = tuple(each.name for each in there)
    return ServerAccount(name=account.name, status=account.status, virtual_accounts=names, alerts=alerts)


class Together:
    """What several sides say, each of another thing."""

    def __init__(self, names: ServerSide, api: ServerSide) -> None:
        self._names = names
        self._api = api

    def facts(self, timeout: float) -> ServerFacts:
        return msgspec.structs.replace(self._names.facts(timeout), api=self._api.facts(timeout).api)
