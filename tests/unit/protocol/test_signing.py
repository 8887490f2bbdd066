"""Keys, signatures and chains: what is not exactly right is refused."""

from __future__ import annotations

import base64
import datetime
import warnings
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_server import pki
from smartlic_client.protocol import signing
from tests.unit.domain.world import NOW, WHEN, Authorities, authorities, new_authorities
from tests.unit.protocol.strategies import anything

DAY = 86400


@cache
def key(kind: str) -> signing.PrivateKey:
    return ec.generate_private_key(ec.SECP384R1()) if kind == "p384" else signing.new_key(kind)


KINDS = ["ec", "rsa", "p384"]


# ---- signatures -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_is_verified_with_its_own_key_only(kind: str) -> None:
    """What was signed verifies with the public key of the signer, and with no other of any kind."""
    signature = signing.sign(key(kind), b"text")
    assert signing.verify(key(kind).public_key(), b"text", signature)
    for other in (*(key(k) for k in KINDS if k != kind), signing.new_key()):
        assert not signing.verify(other.public_key(), b"text", signature)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(KINDS), st.binary(min_size=1, max_size=100), st.data())
def test_tampered_text_or_signature_is_refused(kind: str, text: bytes, data: st.DataObject) -> None:
    """One changed, added or lost byte of the text or of the signature, and it does not verify."""
    public = key(kind).public_key()
    signature = signing.sign(key(kind), text)
    at, flip = data.draw(st.integers(0, 10**6)) % len(text), data.draw(st.integers(1, 255))
    changed = text[:at] + bytes([text[at] ^ flip]) + text[at + 1 :]
    raw = base64.b64decode(signature)
    at = data.draw(st.integers(0, 10**6)) % len(raw)
    broken = base64.b64encode(raw[:at] + bytes([raw[at] ^ flip]) + raw[at + 1 :]).decode()
    assert signing.verify(public, text, signature)
    for other in (changed, text + b"\x00", text[:-1]):
        assert not signing.verify(public, other, signature)
    for wrong in (broken, signature[:-4], signature + "AAAA", "", signature.replace("=", "") + "!"):
        assert not signing.verify(public, text, wrong)


@settings(deadline=None, max_examples=60)
@given(anything, st.sampled_from(KINDS))
def test_any_text_as_signature_is_only_false(text: str, kind: str) -> None:
    """A signature from outside can be any text: it is refused, it never raises."""
    assert not signing.verify(key(kind).public_key(), b"text", text)


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_survives_its_pem(kind: str) -> None:
    """A dumped key is read back as the same key."""
    again = signing.load_key(signing.dump_key(key(kind)))
    assert again.public_key() == key(kind).public_key()


def test_a_key_of_another_kind_is_refused() -> None:
    """A PEM file with a key that the protocol does not use, or with no key, is a ValueError."""
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for pem in (other.decode(), "", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(ValueError, match=r"key|PEM|data"):
            signing.load_key(pem)


# ---- certificate requests ---------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_a_request_gives_its_key(kind: str) -> None:
    """The key of a certificate request is read from it; a long common name does no harm."""
    for name in ("PID:C9300-24T,SN:1", "x" * 300):
        assert signing.read_csr(signing.make_csr(key(kind), name)) == key(kind).public_key()


def _csr(private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    algorithm = None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(private, algorithm)
    return base64.b64encode(request.public_bytes(serialization.Encoding.DER)).decode()


def test_a_request_with_a_weak_or_odd_key_is_refused() -> None:
    """Short RSA, other curves, other kinds of key, and what is no request give None."""
    weak: list[str] = [
        _csr(rsa.generate_private_key(65537, 1024)),  # noqa: S505 - weak on purpose
        _csr(ec.generate_private_key(ec.SECP521R1())),
        _csr(ec.generate_private_key(ec.SECP256K1())),
        _csr(ed25519.Ed25519PrivateKey.generate()),
    ]
    for text in [*weak, "", "AAAA", "!", "é", "\ud800", base64.b64encode(b"x" * 100).decode()]:
        assert signing.read_csr(text) is None


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_request_with_an_unknown_algorithm_is_refused(kind: str) -> None:
    """A request whose key or signature names an algorithm that nobody knows gives None, no exception."""
    der = base64.b64decode(signing.make_csr(key(kind), "x"))
    known = {
        "ec": [bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06082a8648ce3d040302")],
        "rsa": [bytes.fromhex("06092a864886f70d010101"), bytes.fromhex("06092a864886f70d01010b")],
    }
    for oid in known[kind]:
        assert oid in der
        other = der.replace(oid, oid[:-1] + b"\x7f")
        assert signing.read_csr(base64.b64encode(other).decode()) is None


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["ec", "rsa"]), st.data())
def test_a_damaged_request_is_refused(kind: str, data: st.DataObject) -> None:
    """A request with a changed byte gives None, or the key it was made with; it never raises."""
    der = bytearray(base64.b64decode(signing.make_csr(key(kind), "x")))
    der[data.draw(st.integers(0, 10**6)) % len(der)] = data.draw(st.integers(0, 255))
    read = signing.read_csr(base64.b64encode(bytes(der)).decode())
    assert read is None or read == key(kind).public_key()


# ---- chains of answers ------------------------------------------------------------------------------------
def chain_of(issued: pki.Issued) -> list[str]:
    return issued.der_chain


def leaf(
    issuer: pki.Issuer,
    usages: list[x509.ObjectIdentifier] | None,
    *,
    begins: float = NOW - DAY,
    ends: float = NOW + 100 * DAY,
    public_key: signing.PublicKey | None = None,
) -> list[str]:
    """A chain whose leaf has the given usages and validity."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "answers")]))
        .issuer_name(issuer.certificate.subject)
        .public_key(public_key or signing.new_key().public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime.fromtimestamp(begins, datetime.UTC))
        .not_valid_after(datetime.datetime.fromtimestamp(ends, datetime.UTC))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.certificate.public_key()),  # type: ignore[arg-type]
            critical=False,
        )
    )
    if usages is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return pki.der_chain([builder.sign(issuer.key, hashes.SHA256()), *issuer.chain])


ANSWER = signing.LICENSING_ANSWER
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


def test_an_answer_chain_gives_its_leafs_key() -> None:
    """The chain of a real server verifies, with or without other anchors beside the right one."""
    world = authorities()
    expected = world.answers.certificate.public_key()
    for anchors in (world.anchors, new_authorities().anchors + world.anchors):
        assert signing.verify_answer_chain(world.answers.der_chain, anchors, NOW) == expected


def test_an_rsa_key_may_sign_answers() -> None:
    """A leaf with an RSA key is as good as one with an EC key."""
    chain = leaf(authorities().ca, [ANSWER], public_key=key("rsa").public_key())
    assert signing.verify_answer_chain(chain, authorities().anchors, NOW) == key("rsa").public_key()


def _device_chain(world: Authorities) -> tuple[list[str], pki.Issuer]:
    """An ID certificate with its chain; and a device that uses it as an authority."""
    device = signing.new_key()
    certificate = world.id_ca.identity(device.public_key(), "piid", now=WHEN)
    chain = (certificate, *world.id_ca.chain)
    return pki.der_chain(chain), pki.Issuer(certificate, device, chain)


def refused_chains() -> dict[str, list[str]]:
    world, other = authorities(), new_authorities()
    id_chain, device = _device_chain(world)
    good = world.answers.der_chain
    root = pki.der_chain([world.root.certificate])
    return {
        "another root": other.answers.der_chain,
        "another root's intermediate": [good[0], *other.answers.der_chain[1:]],
        "server authentication": leaf(world.ca, [SERVER]),
        "a product certificate": world.ca.leaf("vip.lab", pki.PRODUCT, now=WHEN).der_chain,
        "client authentication": leaf(world.ca, [CLIENT]),
        "server and client authentication": leaf(world.ca, [SERVER, CLIENT]),
        "any extended usage": leaf(world.ca, [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
        "no extended usage": leaf(world.ca, None),
        "an ID certificate": id_chain,
        "signed by the authority of ID certificates": leaf(world.id_ca, [ANSWER]),
        "signed by a device": leaf(device, [ANSWER]),
        "signed by a device, short": leaf(device, [ANSWER])[:2],
        "expired": leaf(world.ca, [ANSWER], begins=NOW - 2 * DAY, ends=NOW - 1),
        "expired long ago": leaf(world.ca, [ANSWER], begins=NOW - 90 * DAY, ends=NOW - 30 * DAY),
        "not yet valid": leaf(world.ca, [ANSWER], begins=NOW + 1),
        "not valid for a month": leaf(world.ca, [ANSWER], begins=NOW + 30 * DAY),
        "missing intermediate": good[:1],
        "wrong intermediate": [good[0], *pki.der_chain(world.id_ca.chain[:1])],
        "wrong order": good[::-1],
        "an authority as leaf": good[1:],
        "the root itself": root,
        "self-signed": leaf(
            pki.Issuer(world.root.certificate, signing.new_key(), ()), [ANSWER]
        ),  # right name, wrong key
        "empty": [],
        "five": [*good, *good, good[0]],
        "not base64": ["!", *good[1:]],
        "not DER": ["AAAA", *good[1:]],
        "not DER above": [good[0], "AAAA"],
        "no text": ["\ud800", *good[1:]],
        "version 16": [_other_version(good[0]), *good[1:]],
    }


def _other_version(certificate: str) -> str:
    """The certificate with a version number that no standard has."""
    der = base64.b64decode(certificate)
    version = bytes.fromhex("a003020102")
    assert version in der
    return base64.b64encode(der.replace(version, version[:-1] + b"\x0f", 1)).decode()


REFUSED = refused_chains()


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_chain_is_refused_every_time(name: str) -> None:
    """A chain with one thing wrong is refused, again when asked again, and after a good one was cached."""
    world = authorities()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"certificate"):
            signing.verify_answer_chain(REFUSED[name], world.anchors, NOW)
        signing.verify_answer_chain(world.answers.der_chain, world.anchors, NOW)


def test_a_cached_chain_is_not_good_for_another_anchor() -> None:
    """A chain that passed is refused at once by who trusts another root, and by who trusts none."""
    world = authorities()
    signing.verify_answer_chain(world.answers.der_chain, world.anchors, NOW)
    with pytest.raises(ValueError, match="trust anchor"):
        signing.verify_answer_chain(world.answers.der_chain, new_authorities().anchors, NOW)
    with pytest.raises(ValueError, match="certificate"):
        signing.verify_answer_chain(world.answers.der_chain, b"", NOW)


def test_a_cached_chain_is_refused_from_its_last_second_on() -> None:
    """A leaf that begins and ends within one hour of the cache passes in between and never outside."""
    hour = NOW - NOW % 3600
    chain = leaf(authorities().ca, [ANSWER], begins=hour + 600, ends=hour + 1200)
    anchors = authorities().anchors
    for _ in range(2):
        for inside in (hour + 600, hour + 900, hour + 1200):
            signing.verify_answer_chain(chain, anchors, inside)
        for outside in (hour, hour + 599, hour + 1201, hour + 3599, hour + 7200, hour - 3600):
            with pytest.raises(ValueError, match="certificate"):
                signing.verify_answer_chain(chain, anchors, outside)


@pytest.mark.parametrize("years", [-1, 11, 21, 50])
def test_authorities_outside_their_validity_are_refused(years: int) -> None:
    """The authorities' own validity counts as well, whatever the leaf says."""
    at = NOW + years * 365 * DAY
    chain = leaf(authorities().ca, [ANSWER], begins=NOW - 400 * DAY, ends=NOW + 60 * 365 * DAY)
    with pytest.raises(ValueError, match="certificate"):
        signing.verify_answer_chain(chain, authorities().anchors, at)


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 1), st.data())
def test_a_damaged_chain_never_gives_another_key(which: int, data: st.DataObject) -> None:
    """A changed byte anywhere in the chain is refused, or did not touch what was signed."""
    world = authorities()
    chain = list(world.answers.der_chain)
    der = bytearray(base64.b64decode(chain[which]))
    der[data.draw(st.integers(0, 10**6)) % len(der)] = data.draw(st.integers(0, 255))
    chain[which] = base64.b64encode(bytes(der)).decode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a negative serial number is read with a warning
        try:
            found = signing.verify_answer_chain(chain, world.anchors, NOW)
        except ValueError:
            return
    assert found == world.answers.certificate.public_key()
