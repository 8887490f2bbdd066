"""What there is on a node while it is Active: the ledger, keys and certificates, and what TLS shows."""

from __future__ import annotations

import asyncio
import base64
import datetime
import os
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property

from cryptography import x509

from mock_server import pki, tls
from mock_server.cluster.machine import Ledger, NodeContext
from mock_server.cssm.port import CssmPort
from mock_server.domain import devices, events
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.attempts import Attempts
from mock_server.domain.state import Settings, State
from mock_server.errors import CommunicationError, problem
from mock_server.faults import Faults
from mock_server.web.devices import Desk
from smartlic_client.protocol import signing

__all__ = ["Serving", "kept_key", "key_name", "key_name_of", "new_key", "stored_chain"]

_PATIENCE = 12.0
"""Seconds for another synchronization to end."""

SYNCHRONIZING = problem(
    "synchronization-under-way",
    CommunicationError,
    "Another synchronization with CSSM is under way.",
    "Ask again when it has ended; `smartlic-mock cssm status` shows whether CSSM was slowed on purpose.",
)


def key_name(title: str, certificate: x509.Certificate) -> str:
    """A name that a key has for good: a change that is cut from a journal leaves the former key usable."""
    return f"{title}-{certificate.serial_number:x}"


def key_name_of(settings: Settings, title: str) -> str:
    """The name of the key that belongs to a certificate: an uploaded one has that of its request."""
    given = settings.browser_key if title == "browser" else ""
    return given or key_name(title, stored_chain(settings.certificates[title][:1])[0])


def new_key() -> bytes:
    """A symmetric key for the key store."""
    return os.urandom(32)


async def kept_key(serving: Serving, name: str) -> bytes:
    """32 random bytes of the key store, on both servers; made where there are none yet."""
    try:
        return serving.ledger.key(name)
    except KeyError:
        made = new_key()
        change = events.Change(at=serving.now(), by="system", node=serving.context.name, events=[])
        await serving.ledger.settled(serving.ledger.propose(events.encode(change), {name: made}))
        return made


def stored_chain(chain: list[str]) -> tuple[x509.Certificate, ...]:
    """A chain as the settings hold it, itself first."""
    return tuple(x509.load_der_x509_certificate(base64.b64decode(one)) for one in chain)


class Serving:
    """Made when the node becomes Active, and thrown away when it is no more."""

    def __init__(
        self,
        context: NodeContext,
        machine: LicensingMachine,
        ledger: Ledger,
        cssm: CssmPort,
        faults: Faults | None = None,
    ) -> None:
        self.context = context
        self.machine = machine
        self.ledger = ledger
        self.cssm = cssm
        self.faults = faults or Faults()
        self.changing_certificates = asyncio.Lock()
        self.attempts = Attempts()

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """Hold `changing_certificates`, as long as whoever asks for it waits for an answer."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.changing_certificates.acquire()
        except TimeoutError:
            raise SYNCHRONIZING(retry_after=5) from None
        try:
            yield
        finally:
            self.changing_certificates.release()

    @property
    def state(self) -> State:
        """Read anew each time: the machine's state is another object after it was rebuilt."""
        return self.machine.state

    def now(self) -> float:
        """The time of licensing in Unix seconds; TLS and certificates keep to the real time."""
        return time.time() + self.state.settings.clock_offset

    async def commit(self, by: str, happened: list[events.Event], keys: Mapping[str, bytes] = {}) -> None:
        """Keep what happened, and return when it is on the disks of both nodes."""
        if happened:
            change = events.Change(at=self.now(), by=by, node=self.context.name, events=happened)
            await self.ledger.settled(self.ledger.propose(events.encode(change), keys))
        else:
            await self.ledger.settled()

    def certificates(self, name: str) -> tuple[x509.Certificate, ...]:
        """The chain of a certificate, itself first."""
        return stored_chain(self.state.settings.certificates[name])

    def chain(self, name: str) -> tuple[bytes, bytes]:
        """Chain and key of a certificate, in PEM."""
        chain = self.certificates(name)
        return b"".join(map(pki.to_pem, chain)), self._key_pem(name)

    def issuer(self, name: str) -> pki.Issuer:
        chain = self.certificates(name)
        return pki.Issuer(chain[0], self.key(name), chain)

    def key(self, name: str) -> signing.PrivateKey:
        """The key of a certificate."""
        return signing.load_key(self._key_pem(name).decode())

    def _key_pem(self, name: str) -> bytes:
        return self.ledger.key(key_name_of(self.state.settings, name))

    @property
    def kept_anchor(self) -> x509.Certificate | None:
        """The licensing root that this cluster keeps, so that products have it while CSSM is away."""
        return self.certificates("root")[0] if "root" in self.state.settings.certificates else None

    async def anchor(self) -> x509.Certificate:
        """The licensing root. An old journal does not have it: then CSSM is asked, and it is kept."""
        kept = self.kept_anchor
        if kept is None:
            kept = await self.cssm.anchor()
            await self.commit("system", [events.AnchorKept(root=pki.der_chain([kept])[0])])
        return kept

    def renew_tls(self) -> None:
        """Show the present certificates from the next handshake on; connections that are open go on."""
        tls.load(self.device_tls, *self._product())
        tls.load(self.gui_tls, *self.chain("browser"))

    @cached_property
    def device_tls(self) -> ssl.SSLContext:
        return tls.server_context(*self._product())

    def _product(self) -> tuple[bytes, bytes]:
        """What products are shown: the product certificate, or one with a flaw, on purpose."""
        flaw, settings = self.faults.shown_certificate(), self.state.settings
        if flaw is None:
            return self.chain("product")
        now, name = datetime.datetime.now(datetime.UTC), settings.served_name
        if flaw == "expired":
            now -= datetime.timedelta(days=pki.PRODUCT.days + 1)
        else:
            # What a cluster is called before its Host Common Name is set, where that is another name.
            own = self.context.config.nodes.primary.host
            name = own if own != name else "former.example.com"
        made = self.issuer("ca").leaf(name, pki.PRODUCT, now=now, alternative_names=[name])
        return b"".join(map(pki.to_pem, [made.certificate, *made.chain])), made.key_pem

    @cached_property
    def gui_tls(self) -> ssl.SSLContext:
        return tls.server_context(*self.chain("browser"))

    @cached_property
    def desk(self) -> Desk:
        issuer = self.issuer("id-ca")
        key = self.key("answers")

        def issue(public_key: signing.PublicKey, piid: str) -> devices.IssuedCertificate:
            certificate = issuer.identity(public_key, piid, now=datetime.datetime.now(datetime.UTC))
            return devices.IssuedCertificate(
                pki.der_chain([certificate])[0], f"{certificate.serial_number:x}"
            )

        return Desk(
            node=self.context.name,
            machine=self.machine,
            ledger=self.ledger,
            now=self.now,
            environment=lambda now: devices.Environment(now=now, random=os.urandom, issue=issue),
            sign=lambda data: signing.sign(key, data),
            certificates=self.state.settings.certificates["answers"],
            faults=self.faults,
            id_chain=self.state.settings.certificates["id-ca"],
        )
