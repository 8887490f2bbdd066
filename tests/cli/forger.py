"""A server of the test's own, at an address of its own, whose certificates the device under test trusts.

It holds the root of a cluster (which nobody but the mock CSSM has), so that TLS and names are right and only
what is wrong on purpose is wrong.
"""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace

from mock_server import pki
from smartlic_client.protocol import signing, smart
from smartlic_client.protocol.messages import (
    AnswerData,
    AnswerHeader,
    RegistrationRequest,
    RegistrationResult,
)
from tests.cli.harness import Lab
from tests.unit.client.tls_servers import Certificate, Handler, http

Change = Callable[[AnswerHeader, AnswerData], tuple[AnswerHeader, AnswerData]]

PIID = "d9f1a0f4-7f9b-4c53-8b0e-3b5e3f0a7c11"


class Forger:
    """Makes certificates and answers as the cluster of `lab` does, right unless told otherwise."""

    def __init__(self, lab: Lab) -> None:
        folder = lab.stage.cluster / "cssm"
        self.now = datetime.datetime.now(datetime.UTC)
        self.root = pki.Issuer(
            x509.load_pem_x509_certificate((folder / "root.pem").read_bytes()),
            signing.load_key((folder / "root.key").read_text()),
            (),
        )
        self.answers = self.root.leaf("answers", pki.ANSWERS, now=self.now)

    def certificate(self, host: str) -> Certificate:
        """What the listener shows: a product certificate for `host`."""
        issued = self.root.leaf(host, pki.PRODUCT, now=self.now, alternative_names=[host])
        key = signing.load_key(issued.key_pem.decode())
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return Certificate(issued.certificate, key)

    def strange_answers(self) -> pki.Issued:
        """A certificate for answers under a root that nobody trusts."""
        return pki.new_root("Another Root", self.now).leaf("answers", pki.ANSWERS, now=self.now)

    def accepts(
        self, change: Change | None = None, signer: pki.Issued | None = None, key: pki.Issued | None = None
    ) -> Handler:
        """A handler that accepts a registration. `change` the answer before it is signed; `signer`: whose
        certificate goes with it; `key`: whose key signs it."""
        signer = signer or self.answers
        private = signing.load_key((key or signer).key_pem.decode())

        def handle(connection: ssl.SSLSocket, request: bytes) -> None:
            asked = smart.decode_request(request.partition(b"\r\n\r\n")[2])
            header, data = self._accepted(asked)
            if change is not None:
                header, data = change(header, data)
            body = smart.encode_answer(
                header, data, lambda text: signing.sign(private, text), signer.der_chain
            )
            connection.sendall(http("200 OK", body=body))

        return handle

    def _accepted(self, asked: smart.SignedRequest) -> tuple[AnswerHeader, AnswerData]:
        assert isinstance(asked.data, RegistrationRequest)
        public_key = signing.read_csr(asked.data.csr)
        assert public_key is not None
        result = RegistrationResult(
            product_instance_identifier=PIID,
            id_certificate=pki.der_chain([self.root.identity(public_key, PIID, now=self.now)])[0],
            id_certificate_chain=[],
            smart_account="Forged",
            virtual_account="Forged",
            export_controlled_allowed=True,
        )
        header = AnswerHeader(
            nonce=asked.header.nonce, request_type="REGISTRATION", product_instance_identifier=PIID
        )
        data = AnswerData(
            timestamp=int(self.now.timestamp() * 1000),
            nonce=asked.header.nonce,
            message_id=asked.data.message_id,
            status="COMPLETE",
            status_code=0,
            status_message="",
            data=result,
        )
        return header, data


def other_nonce(header: AnswerHeader, data: AnswerData) -> tuple[AnswerHeader, AnswerData]:
    return replace(header, nonce="1"), replace(data, nonce="1")


def other_message(header: AnswerHeader, data: AnswerData) -> tuple[AnswerHeader, AnswerData]:
    return header, replace(data, message_id=PIID)


def other_type(header: AnswerHeader, data: AnswerData) -> tuple[AnswerHeader, AnswerData]:
    return replace(header, request_type="AUTHORIZATION"), data


def other_certificate(header: AnswerHeader, data: AnswerData) -> tuple[AnswerHeader, AnswerData]:
    """The ID certificate of another device's key."""
    key = signing.new_key()
    root = pki.new_root("Another Root", datetime.datetime.now(datetime.UTC))
    stranger = root.identity(key.public_key(), PIID, now=datetime.datetime.now(datetime.UTC))
    assert isinstance(data.data, RegistrationResult)
    return header, replace(data, data=replace(data.data, id_certificate=pki.der_chain([stranger])[0]))


def no_result(header: AnswerHeader, data: AnswerData) -> tuple[AnswerHeader, AnswerData]:
    return header, replace(data, data=None)


def unknown_status(header: AnswerHeader, data: AnswerData) -> tuple[AnswerHeader, AnswerData]:
    return header, replace(data, status="MAYBE")


def unknown_refusal(header: AnswerHeader, data: AnswerData) -> tuple[AnswerHeader, AnswerData]:
    """A refusal with a code from the future, and a text that would steer a terminal."""
    return header, replace(
        data, status="FAILED", code="not-today", status_message="\x1b[2JNot today", data=None
    )
