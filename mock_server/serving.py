"""What there is on a node while it is Active: the ledger, the issuers, and what TLS shows."""

from __future__ import annotations

import asyncio
import base64
import datetime
import os
import ssl
import time
from collections.abc import Mapping
from functools import cached_property

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from mock_server import pki, tls
from mock_server.cluster.machine import Ledger, NodeContext
from mock_server.cssm import Cssm
from mock_server.domain import administration, devices, events
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.state import DEFAULT_ACCOUNT, State
from mock_server.web.devices import Desk
from smartlic_client.protocol import signing

__all__ = ["Serving"]

_SERVED = ("product", "browser")
_RENEW_BEFORE = 30  # days
_ANSWERS_NAME = "SSM On-Prem licensing answers"


def _key_name(title: str, certificate: x509.Certificate) -> str:
    """A name that a key has for good: a change that is cut from a journal leaves the former key usable."""
    return f"{title}-{certificate.serial_number:x}"


class Serving:
    """Made when the node becomes Active, and thrown away when it is no more."""

    def __init__(self, context: NodeContext, machine: LicensingMachine, ledger: Ledger, cssm: Cssm) -> None:
        self.context = context
        self.machine = machine
        self.ledger = ledger
        self.cssm = cssm
        self.changing_certificates = asyncio.Lock()

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

    def chain(self, name: str) -> tuple[bytes, bytes]:
        """Chain and key of a certificate, in PEM."""
        chain = self._certificates(name)
        return b"".join(map(pki.to_pem, chain)), self.ledger.key(_key_name(name, chain[0]))

    def issuer(self, name: str) -> pki.Issuer:
        chain = self._certificates(name)
        return pki.Issuer(chain[0], self._key(name, chain[0]), chain)

    def _certificates(self, name: str) -> tuple[x509.Certificate, ...]:
        chain = self.state.settings.certificates[name]
        return tuple(x509.load_der_x509_certificate(base64.b64decode(c)) for c in chain)

    def _key(self, name: str, certificate: x509.Certificate) -> signing.PrivateKey:
        return signing.load_key(self.ledger.key(_key_name(name, certificate)).decode())

    @cached_property
    def device_tls(self) -> ssl.SSLContext:
        return tls.server_context(*self.chain("product"))

    @cached_property
    def gui_tls(self) -> ssl.SSLContext:
        return tls.server_context(*self.chain("browser"))

    @cached_property
    def desk(self) -> Desk:
        issuer = self.issuer("id-ca")
        key = self._key("answers", self._certificates("answers")[0])

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
            id_chain=self.state.settings.certificates["id-ca"],
        )

    def served_hosts(self) -> list[str]:
        config = self.context.config
        return [config.nodes.primary.host, config.nodes.secondary.host, config.vip.host]

    async def first_certificates(self) -> None:
        """A new server: a local account, its own CA, and the Primary's address as first Host Common Name."""
        self.cssm.create()
        now = datetime.datetime.now(datetime.UTC)
        name = self.context.config.nodes.primary.host
        certificates: dict[str, list[str]] = {}
        keys: dict[str, bytes] = {}
        ca_key, id_key = signing.new_key(), signing.new_key()
        ca, ca_chain = self.cssm.certify_authority("SSM On-Prem CA", ca_key.public_key(), now)
        authority = pki.Issuer(ca, ca_key, ca_chain)
        _, id_chain = pki.new_authority(
            authority,
            "SSM On-Prem ID CA",
            id_key.public_key(),
            now=now,
            path_length=0,
            only_for=ExtendedKeyUsageOID.CLIENT_AUTH,
        )
        for title, key, chain in (("ca", ca_key, ca_chain), ("id-ca", id_key, id_chain)):
            certificates[title] = pki.der_chain(chain)
            keys[_key_name(title, chain[0])] = signing.dump_key(key).encode()
        answers = authority.leaf(_ANSWERS_NAME, pki.ANSWERS, now=now)
        for title, issued in {"answers": answers, **self._served(authority, name, now)}.items():
            certificates[title] = issued.der_chain
            keys[_key_name(title, issued.certificate)] = issued.key_pem
        installed = events.CertificatesInstalled(served_name=name, generation=1, certificates=certificates)
        account = administration.create_account(
            self.state, DEFAULT_ACCOUNT, f"{DEFAULT_ACCOUNT} Smart Account", "On-Prem"
        )
        await self.commit("system", [events.CommonNameSet(name=name), installed, *account], keys)

    def _served(self, authority: pki.Issuer, name: str, now: datetime.datetime) -> dict[str, pki.Issued]:
        """The two certificates that TLS shows: CN and the same name as SAN (names, "Measured")."""
        hosts = [name, *self.served_hosts()]
        return {
            "product": authority.leaf(name, pki.PRODUCT, now=now, alternative_names=[name]),
            "browser": authority.leaf(name, pki.BROWSER, now=now, alternative_names=hosts),
        }

    async def synchronize(self, names: list[str]) -> bool:
        """Synchronize local accounts with CSSM. True: there are new certificates (B1.5).

        They are made when the Host Common Name has changed, and when the present ones end soon.
        """
        async with self.changing_certificates:
            self.cssm.anchor()  # CSSM has to be there
            now = datetime.datetime.now(datetime.UTC)
            happened = administration.synchronize(self.state, names)
            keys: dict[str, bytes] = {}
            settings = self.state.settings
            other_name = administration.regeneration_due(self.state, names)
            renewed = other_name or any(
                pki.ends_within(self._certificates(title)[0], _RENEW_BEFORE, now) for title in _SERVED
            )
            if renewed:
                name = settings.common_name if other_name else settings.served_name
                made = self._served(self.issuer("ca"), name, now)
                keys = {
                    _key_name(title, issued.certificate): issued.key_pem for title, issued in made.items()
                }
                happened.append(
                    events.CertificatesInstalled(
                        served_name=name,
                        generation=settings.generation + 1,
                        certificates={title: issued.der_chain for title, issued in made.items()},
                    )
                )
            await self.commit("system", happened, keys)
            if renewed:
                tls.load(self.device_tls, *self.chain("product"))
                tls.load(self.gui_tls, *self.chain("browser"))
            return renewed
