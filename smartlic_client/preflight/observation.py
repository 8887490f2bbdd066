"""What a check saw, as values: the probes make them, the rules read them. Nothing here judges."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from smartlic_client.certificates import Certificate
from smartlic_client.names import Host
from smartlic_client.protocol.transports import TransportKind

__all__ = [
    "Endpoint",
    "Flaw",
    "Observation",
    "Outcome",
    "Resolution",
    "Role",
    "ServerAccount",
    "ServerAlert",
    "ServerApi",
    "ServerFacts",
    "Service",
    "Target",
    "Trust",
]


_READABLE = ("application/json", "application/xml", "text/xml")


class Flaw(msgspec.Struct, frozen=True):
    """What is wrong with a target as it was written. `id`: the finding that it is."""

    id: str
    reason: str


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be checked. `host` is None where none could be read, and for a file.

    `label`: how reports call it. `name`: from an inventory. `url`: canonical; empty for a file.
    """

    label: str
    host: Host | None = None
    port: int = 443
    path: str = ""
    url: str = ""
    kind: TransportKind = TransportKind.CALLHOME
    name: str | None = None
    file: str | None = None
    flaws: tuple[Flaw, ...] = ()
    repeated: tuple[str, ...] = ()

    @property
    def authority(self) -> str:
        """Host and port, as a person writes them."""
        return f"{self.host.url_text}:{self.port}" if self.host is not None else self.label


class Role(StrEnum):
    """Whose endpoint it is."""

    TARGET = "target"
    PRIMARY = "primary"
    SECONDARY = "secondary"
    FILE = "file"


class Outcome(StrEnum):
    """How far a probe came."""

    TLS = "tls"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    SILENT = "silent"
    CLOSED = "closed"
    NO_TLS = "no-tls"
    HTTP = "http"
    TLS_FAILED = "tls-failed"
    PROXY = "proxy"


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One address and port, and what it did when TLS was tried. `chain`: as presented, the leaf first.

    `detail`: what it said or how it failed, in words.
    """

    role: Role
    address: str
    port: int
    outcome: Outcome
    detail: str = ""
    tls: str = ""
    cipher: str = ""
    chain: tuple[Certificate, ...] = ()

    @property
    def leaf(self) -> Certificate | None:
        return self.chain[0] if self.chain else None

    @property
    def where(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return host if self.role is Role.FILE else f"{host}:{self.port}"


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What a name resolves to. `failure`: why it does not; `late`: it took longer than there was time."""

    addresses: tuple[str, ...] = ()
    failure: str | None = None
    late: bool = False

    @property
    def families(self) -> set[str]:
        return {"IPv6" if ":" in address else "IPv4" for address in self.addresses}


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """How the checked connection ended. `code`: OpenSSL's verification error, 0 if the chain holds.

    `held`: None where it could not be told. `named`: the name held as well, so that more could be sent.
    """

    held: bool | None
    code: int = 0
    message: str = ""
    named: bool = False


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What answered at the path, on the checked connection. `sent`: GET, or POST without a body.

    `date`: the server's clock by its Date field, `at`: this machine's at the same moment.
    """

    sent: str
    status: int
    content_type: str = ""
    location: str = ""
    allow: str = ""
    intermediaries: tuple[str, ...] = ()
    date: float | None = None
    at: float = 0.0
    failure: str = ""

    @property
    def understood(self) -> bool:
        """Whether it shows that the path is one for messages: read, and refused as it should be."""
        kind = self.content_type
        readable = kind in _READABLE or kind.endswith(("+json", "+xml"))
        if self.status == 405:  # the method is wrong, not the path; Allow says so (RFC 9110, section 15.5.6)
            return self.sent == "GET" and "POST" in self.allow
        if self.status in (400, 411, 413, 415, 422):
            return True
        return readable and self.status in (200, 202, 401, 403, 500)


class ServerAlert(msgspec.Struct, frozen=True, kw_only=True):
    """`severity`: Major, Minor or Informational. `source`: what it is about."""

    severity: str
    kind: str
    message: str
    source: str = ""


class ServerAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A local account as the REST API shows it. `status`: empty where it does not tell."""

    name: str
    status: str = ""
    virtual_accounts: tuple[str, ...] = ()
    alerts: tuple[ServerAlert, ...] = ()


class ServerApi(msgspec.Struct, frozen=True, kw_only=True):
    """What the REST API tells, or why not (`failure`, `mend`). `wanted`: a virtual account to look for."""

    url: str
    accounts: tuple[ServerAccount, ...] = ()
    wanted: str | None = None
    failure: str = ""
    mend: str = ""


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the server itself says. Its name: what is set, and what is served until it synchronizes."""

    common_name: str = ""
    served_name: str = ""
    pending: bool = False
    api: ServerApi | None = None


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """All that was seen of one target."""

    target: Target
    resolution: Resolution | None = None
    endpoints: tuple[Endpoint, ...] = ()
    nodes: tuple[Endpoint, ...] = ()
    anchors: tuple[Certificate, ...] = ()
    anchor_flaw: Flaw | None = None
    trust: Trust | None = None
    service: Service | None = None
    file_flaw: Flaw | None = None
    seconds: float = 0.0

    @property
    def answered(self) -> Endpoint | None:
        """The endpoint whose certificate counts: the first address of the target that spoke TLS."""
        return next((each for each in self.endpoints if each.chain), None)

    @property
    def active(self) -> Endpoint | None:
        """The node that answers, if exactly one does."""
        found = [node for node in self.nodes if node.outcome is Outcome.TLS]
        return found[0] if len(found) == 1 else None
