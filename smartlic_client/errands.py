"""What a device can be asked to do, as steps: the decisions are here, once, and no input or output.

An errand is a generator. A driver carries out its steps in their order, sends the outcome of each back in,
and gets the errand's result in the end. `Device` drives errands in the calling thread, `AsyncDevice` in an
event loop.

| step      | what the driver does                                     | outcome                      |
|-----------|----------------------------------------------------------|------------------------------|
| `Persist` | saves record and settings; goes on when they are on disk | None                         |
| `Send`    | posts a message to `destination()`                       | the answer, or a RemoteError |
| `Wait`    | lets time pass                                           | None                         |
| `HangUp`  | closes its connection: whom to ask or to trust differs   | None                         |

A driver that fails, or is cancelled, leaves the errand where it is. What was meant is in the record and on
disk by then (protocol, "Exactly once, over failover"), and the next errand goes on with it.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias, TypeVar

import msgspec
from cryptography import x509

from smartlic_client.errors import CallerError, RefusedError, RemoteError, SmartlicError, problem
from smartlic_client.protocol import flow
from smartlic_client.protocol.agent import Agent
from smartlic_client.protocol.errors import NOT_REGISTERED_THERE
from smartlic_client.protocol.flow import Environment, Persist, Send, Wait
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.messages import DeregistrationRequest, RegistrationRequest, TrustRequest
from smartlic_client.protocol.record import LicenseKind, Record
from smartlic_client.protocol.transports import TransportKind
from smartlic_client.transport.urls import Destination

__all__ = ["Answer", "Errand", "Errands", "HangUp", "Outcome", "Persist", "Send", "Settings", "Step", "Wait"]

NO_DESTINATION = problem(
    "no-destination",
    CallerError,
    "This device has no destination URL.",
    "Set the Transport Gateway URL with the cluster's VIP or FQDN: smartlic transport "
    "https://VIP:PORT/Transportgateway/services/DeviceRequestHandler",
)
NO_ANCHOR = problem(
    "no-trust-anchor",
    CallerError,
    "This device has no trust anchor, so it can trust no server.",
    "Get it from the server (https://VIP:8443/trust-anchor.pem, or `smartlic-mock certificates`), compare "
    "its fingerprint, and give it: smartlic trust FILE",
)
TRANSPORT_OFF = problem(
    "transport-off",
    CallerError,
    "This device's transport is off: it sends nothing.",
    "Set a destination URL, or save its usage reports to a file and import the acknowledgement.",
)
BAD_ANCHOR = problem(
    "bad-trust-anchor",
    CallerError,
    "What was given is no trust anchor: {why}.",
    "Give one or more CA certificates in PEM.",
)


class Settings(msgspec.Struct, kw_only=True):
    """Where the device's server is, and whom it trusts. `anchors`: PEM of CA certificates."""

    url: str | None = None
    transport: TransportKind = TransportKind.CALLHOME
    anchors: str | None = None
    proxy: str | None = None


@dataclass(frozen=True)
class Outcome:
    """`changed`: something is different now. `pending`: what could not be told yet, and why; it is kept.

    `resumed`: a registration that was under way has been finished, with the token that it began with;
    `token_used`: that was the token given.
    """

    changed: bool
    pending: SmartlicError | None = None
    resumed: bool = False
    token_used: bool = True


@dataclass(frozen=True)
class HangUp:
    """Close the connection to the server, if there is one. Outcome: None."""


T = TypeVar("T")
Step: TypeAlias = flow.Step | HangUp
Answer: TypeAlias = flow.Outcome
Errand: TypeAlias = Generator[Step, Answer, T]


class Errands:
    """The errands of one device. One of them runs at a time; nothing happens before its first step.

    `wait`: the seconds for which communication failures are retried.
    """

    def __init__(self, agent: Agent, settings: Settings, environment: Environment) -> None:
        self.agent = agent
        self.settings = settings
        self.environment = environment

    @property
    def record(self) -> Record:
        return self.agent.record

    def destination(self) -> tuple[Destination, bytes]:
        """Where messages go, and the trust anchors in PEM. Raises no-destination and no-trust-anchor."""
        if self.settings.url is None:
            raise NO_DESTINATION()
        if self.settings.anchors is None:
            raise NO_ANCHOR()
        return _destination(self.settings.url, self.settings.transport), self.settings.anchors.encode()

    # ---- settings -----------------------------------------------------------------------------------------
    def set_destination(self, url: str) -> Errand[Destination]:
        """Raises bad-url, not-https and bad-host before its first step."""
        destination = Destination.parse(url, TransportKind.CALLHOME)
        self.settings.url = destination.url
        self.settings.transport = TransportKind.of_path(destination.path)
        self.agent.configure(transport_off=False)
        yield HangUp()
        yield Persist()
        return destination

    def trust(self, pem: bytes) -> Errand[list[x509.Certificate]]:
        """Raises bad-trust-anchor before its first step."""
        anchors = _read_anchors(pem)
        self.settings.anchors = pem.decode("ascii", "replace")
        yield HangUp()
        yield Persist()
        return anchors

    # ---- what the device does -----------------------------------------------------------------------------
    def register(self, token: IdToken | str, *, force: bool = False, wait: float = 0.0) -> Errand[Outcome]:
        """Finish what is under way, as it was meant; then register, unless that was a registration.

        Raises token-malformed for a text that is no token.
        """
        until, token = self._until(wait), _token(token)
        self._online()
        if isinstance(self.record.in_flight, DeregistrationRequest):
            yield from self._deregister(until)
        if isinstance(under_way := self.record.in_flight, RegistrationRequest):
            try:
                done = yield from self._registered(until)
                return replace(done, resumed=True, token_used=under_way.id_token == token.reveal())
            except RefusedError:
                pass  # the former token was refused: this one is another try
        self.agent.register(
            token, self.environment.new_key(), self.environment.random, force, self.environment.now()
        )
        return (yield from self._registered(until))

    def request(
        self,
        tag: str,
        count: int,
        *,
        wait: float = 0.0,
        at_once: bool = True,
        export_controlled: bool = False,
        kind: LicenseKind | None = None,
    ) -> Errand[Outcome]:
        """Keep the absolute count, and tell it where the device is registered.

        Not `at_once`: `attend` tells it two seconds later, together with other changes.
        """
        before = self.record.entitlements.get(tag)
        changed = (before.count if before else 0) != count
        self.agent.request(tag, count, self.environment.now(), export_controlled=export_controlled, kind=kind)
        yield Persist()
        if at_once:
            yield from self._deliver(self._until(wait))
        return Outcome(changed)

    def report(self, *, wait: float = 0.0) -> Errand[Outcome]:
        """Tell the counts, changed or not; a registration that is under way tells them too."""
        until = self._until(wait)
        if isinstance(self.record.in_flight, RegistrationRequest):
            return (yield from self._registered(until))
        self.agent.report(self.environment.now())
        yield Persist()
        yield from self._deliver(until)
        return Outcome(changed=False)

    def renew(self, *, wait: float = 0.0) -> Errand[Outcome]:
        """Renew the ID certificate now."""
        self.agent.renew(self.environment.now())
        yield Persist()
        yield from self._deliver(self._until(wait))
        return Outcome(changed=True)

    def configure(
        self,
        *,
        custom_id: str | None = None,
        hostname_private: bool | None = None,
        version_private: bool | None = None,
        transport_off: bool | None = None,
    ) -> Errand[None]:
        """As `Agent.configure`, and saved."""
        self.agent.configure(
            custom_id=custom_id,
            hostname_private=hostname_private,
            version_private=version_private,
            transport_off=transport_off,
        )
        yield HangUp()
        yield Persist()

    def factory_reset(self) -> Errand[None]:
        """As `Agent.factory_reset`, and saved."""
        self.agent.factory_reset(self.environment.now())
        yield Persist()

    # ---- Smart Licensing Using Policy ---------------------------------------------------------------------
    def use_policy(self, interval_days: int = 30) -> Errand[None]:
        """As `Agent.use_policy`, and saved."""
        self.agent.use_policy(self.environment.now(), interval_days)
        yield Persist()

    def get_trust_code(
        self, token: IdToken | str, *, force: bool = False, wait: float = 0.0
    ) -> Errand[Outcome]:
        """Finish what is in flight; then ask for a trust code, unless that was one. Reports follow it."""
        until, token = self._until(wait), _token(token)
        self._online()
        if isinstance(under_way := self.record.in_flight, TrustRequest):
            yield from self._deliver(until)
            return Outcome(changed=True, resumed=True, token_used=under_way.id_token == token.reveal())
        if self.record.in_flight is not None:
            yield from self._deliver(until)
        environment = self.environment
        self.agent.trust(token, environment.new_key(), environment.random, force, environment.now())
        yield from self._deliver(until)
        return Outcome(changed=True)

    def sync_usage(self, *, wait: float = 0.0) -> Errand[Outcome]:
        """Close the open usage reports, and send them where there is a trust code."""
        self.agent.report_usage(self.environment.now())
        yield Persist()
        yield from self._deliver(self._until(wait))
        return Outcome(changed=True)

    def save_usage(self) -> Errand[bytes]:
        """The file with the usage reports that are not acknowledged."""
        content = self.agent.save_usage(self.environment.now())
        yield Persist()
        return content

    def import_acknowledgement(self, data: bytes) -> Errand[None]:
        """Take a file with an acknowledgement. Raises no-trust-anchor, and as `usage_file` reads it."""
        if self.settings.anchors is None:
            raise NO_ANCHOR()
        self.agent.import_acknowledgement(data, self.settings.anchors.encode(), self.environment.now())
        yield Persist()

    def attend(self, *, first: bool = False) -> Errand[float | None]:
        """What time has made due: states that end, warnings, and messages. Returns the next deadline.

        `first`: of a driver that has just begun; what was left in flight goes on. What fails is in the record
        and in the log, and is not raised.
        """
        steps = self.agent.steps
        due = self.agent.tick(self.environment.now())
        if first or self.agent.steps != steps:
            yield Persist()
        if due or (first and self.record.in_flight is not None):
            try:
                yield from self._deliver(None)
            except RemoteError as error:
                if isinstance(self.record.in_flight, DeregistrationRequest):
                    yield from self._forget(error)
        return self.agent.next_deadline()

    def deregister(self, *, wait: float = 0.0) -> Errand[Outcome]:
        """Tell the server, and forget the registration whether it heard or not."""
        until = self._until(wait)
        if isinstance(self.record.in_flight, RegistrationRequest):
            # It may have been accepted: ask, so that no instance is left behind on the server.
            try:
                yield from self._registered(until)
            except RemoteError as error:
                return (yield from self._forget(error))
        return (yield from self._deregister(until))

    def forgotten(self) -> bool:
        """Whether the server has forgotten this device, which then has to be registered again."""
        record = self.record
        failure = record.registering.failure
        lost = failure is not None and failure.get("code") == NOT_REGISTERED_THERE.code
        return lost and record.identity is None and record.in_flight is None

    # ---- inside -------------------------------------------------------------------------------------------
    def _deregister(self, until: float | None) -> Errand[Outcome]:
        self.agent.deregister(self.environment.random, self.environment.now())
        yield Persist()
        try:
            yield from self._deliver(until)
        except RemoteError as error:
            return (yield from self._forget(error))
        return Outcome(changed=True)

    def _forget(self, error: RemoteError) -> Errand[Outcome]:
        """The server could not be told, or said no: local data goes all the same."""
        self.agent.forget(self.environment.now())
        yield Persist()
        return Outcome(changed=True, pending=error)

    def _registered(self, until: float | None) -> Errand[Outcome]:
        """Say what is meant. If only the report after the registration failed, the device is registered."""
        try:
            yield from self._deliver(until)
        except RemoteError as error:
            if isinstance(self.record.in_flight, RegistrationRequest) or self.record.identity is None:
                raise
            if self.record.registering.failure is not None:
                raise
            return Outcome(changed=True, pending=error)
        return Outcome(changed=True)

    def _until(self, wait: float) -> float | None:
        return self.environment.now() + wait if wait > 0 else None

    def _online(self) -> None:
        if self.record.transport_off:
            raise TRANSPORT_OFF()

    def _deliver(self, until: float | None) -> Errand[None]:
        record = self.record
        known = record.identity if record.usage is None else record.usage.identity
        if record.transport_off or (known is None and record.in_flight is None):
            return
        destination, anchors = self.destination()
        yield from flow.deliver(
            self.agent,
            self.environment,
            self.settings.transport,
            anchors,
            to=destination.url,
            until=until,
        )


@lru_cache(maxsize=64)
def _destination(url: str, kind: TransportKind) -> Destination:
    return Destination.parse(url, kind)


def _token(given: IdToken | str) -> IdToken:
    return given if isinstance(given, IdToken) else IdToken(given)


def _read_anchors(pem: bytes) -> list[x509.Certificate]:
    try:
        anchors = x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise BAD_ANCHOR(why="it holds no certificate in PEM") from None
    for anchor in anchors:
        if not _is_authority(anchor):
            raise BAD_ANCHOR(why=f"{anchor.subject.rfc4514_string()} is no CA certificate")
    if b"PRIVATE KEY" in pem:
        raise BAD_ANCHOR(why="it holds a private key, which does not belong on a device")
    return anchors


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False
