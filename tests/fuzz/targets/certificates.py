"""Certificates, requests for them, and files of them: what a server shows, what people give."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from mock_server import browser_chain, pki
from smartlic_client.certificates import Certificate, read_certificate, read_certificates
from smartlic_client.errors import SmartlicError
from smartlic_client.hosts import parse_host
from smartlic_client.names import judge, sentences
from smartlic_client.preflight.anchors import is_authority
from smartlic_client.protocol import signing
from tests.fuzz.mutation import der
from tests.fuzz.target import Read, Target
from tests.unit.client import certificate_forms as forms
from tests.unit.domain.world import NOW, WHEN, authorities

_HOSTS = [parse_host(text) for text in ("10.0.0.5", "vip.lab.example", "::1", "bücher.example")]
_KINDS = 6


def looked_at(certificate: Certificate) -> None:
    """All that is asked of one."""
    for host in _HOSTS:
        for verdict in judge(host, certificate.names):
            sentences(verdict.mismatches)
    for flaw in certificate.flaws:
        assert flaw.sentence
    assert certificate.may_serve in (True, False)
    assert len(certificate.fingerprint) == 71
    is_authority(certificate)


def prepare() -> Read:
    known = authorities()
    browser_key = signing.new_key().public_key()
    anchors, now = known.anchors, NOW

    def read(data: bytes) -> None:
        if not data:
            return
        kind, body = data[0] % _KINDS, data[1:]
        text = base64.b64encode(body).decode()
        pem = f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"
        try:
            if kind == 0:
                looked_at(read_certificate(body))
            elif kind == 1:
                for certificate in read_certificates(body, "secret"):
                    looked_at(certificate)
            elif kind == 2:
                for certificate in read_certificates(pem.encode()):
                    looked_at(certificate)
                browser_chain.checked(pem, browser_key, WHEN)
            elif kind == 3:
                signing.read_csr(text)
            elif kind == 4:
                signing.read_certificate(text)
                pki.pem_chain([text])
            else:
                signing.verify_answer_chain([text, *known.answers.der_chain[1:]], anchors, now)
        except SmartlicError:
            assert kind in (1, 2)
        except ValueError:
            assert kind in (4, 5)

    return read


def _ders() -> Iterator[bytes]:
    known = authorities()
    for certificate in (known.root.certificate, known.ca.certificate, known.answers.certificate):
        yield certificate.public_bytes(serialization.Encoding.DER)
    leaf = known.ca.leaf(
        "vip.lab.example", pki.PRODUCT, now=WHEN, alternative_names=["10.0.0.5", "vip.lab.example"]
    )
    yield leaf.certificate.public_bytes(serialization.Encoding.DER)
    yield forms.build(subject=forms.name(forms.cn("10.0.0.5"), forms.cn("x".encode("utf-16-be"), 0x1E)))


def seeds() -> Iterator[bytes]:
    ders = list(_ders())
    for one in ders:
        yield b"\0" + one
    for kind in range(1, _KINDS):
        if kind != 3:
            yield bytes((kind,)) + ders[2]
    key = signing.new_key()
    yield b"\3" + binascii.a2b_base64(signing.make_csr(key, "FOC1"))
    pem = authorities().ca.chain[0].public_bytes(serialization.Encoding.PEM)
    yield b"\1" + pem + b"text\n" + pem.replace(b"\n", b"\r\n")
    yield b"\1" + ders[0] + ders[1]
    locked = serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(1).build(b"secret")
    plain = serialization.NoEncryption()
    for encryption in (locked, plain):
        yield b"\1" + pkcs12.serialize_key_and_certificates(
            b"n", key, None, [authorities().root.certificate], encryption
        )


TARGETS = (Target("certificates", prepare, seeds, der, longest=4096),)
