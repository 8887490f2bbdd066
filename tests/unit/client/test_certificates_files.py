"""Certificates in files of every form, and files that are none: what was found instead is said."""

from __future__ import annotations

import base64
import datetime
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from smartlic_client.certificates import FlawKind, files, load_certificates, read_certificates
from smartlic_client.errors import CallerError
from tests.unit.client.certificate_forms import build, cn, name, tlv

KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def make(common_name: str) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + datetime.timedelta(days=1))
        .sign(KEY, hashes.SHA256())
    )


A, B = make("a.example"), make("b.example")
DER_A, DER_B = (certificate.public_bytes(Encoding.DER) for certificate in (A, B))
PEM_A, PEM_B = (certificate.public_bytes(Encoding.PEM) for certificate in (A, B))
KEY_PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
OLD_KEY_PEM = rsa.generate_private_key(65537, 2048).private_bytes(
    Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x")
)
P12_OPEN = pkcs12.serialize_key_and_certificates(b"ssm", KEY, A, [B], NoEncryption())
P12_LOCKED = pkcs12.serialize_key_and_certificates(
    b"ssm", KEY, A, [B], BestAvailableEncryption(b"secr\xc3\xa4t")
)


def names(data: bytes, password: files.Password = None) -> list[object]:
    return [certificate.names.common_names[0] for certificate in read_certificates(data, password)]


def refusal(data: bytes, password: files.Password = None) -> CallerError:
    with pytest.raises(CallerError) as caught:
        read_certificates(data, password, name="server.file")
    assert "server.file" in caught.value.sentence
    return caught.value


TWO: dict[str, bytes] = {
    "PEM": PEM_A + PEM_B,
    "CRLF": (PEM_A + PEM_B).replace(b"\n", b"\r\n"),
    "text around": b"# our certificates\n" + PEM_A + b"subject=x\n-----\n" + PEM_B + b"the end",
    "keys between": KEY_PEM + PEM_A + OLD_KEY_PEM + PEM_B + KEY_PEM,
    "byte order mark": b"\xef\xbb\xbf" + PEM_A + PEM_B,
    "UTF-16": (PEM_A + PEM_B).decode().encode("utf-16"),
    "one line": PEM_A
    + b"-----BEGIN CERTIFICATE-----"
    + base64.b64encode(DER_B)
    + b"-----END CERTIFICATE-----",
    "older label": PEM_A + PEM_B.replace(b" CERTIFICATE", b" X509 CERTIFICATE"),
    "OpenSSL's trusted": PEM_A
    + b"-----BEGIN TRUSTED CERTIFICATE-----\n"
    + base64.encodebytes(DER_B + tlv(0x30, tlv(0x0C, b"alias")))
    + b"-----END TRUSTED CERTIFICATE-----\n",
    "DER": DER_A + DER_B,
    "PKCS#12": P12_OPEN,
}


@pytest.mark.parametrize("form", TWO)
def test_all_certificates_of_a_file_are_read_in_their_order(form: str, tmp_path: Path) -> None:
    """Whatever the form and whatever stands around them, and without a flaw."""
    path = tmp_path / "file"
    path.write_bytes(TWO[form])
    found = load_certificates(path)
    assert [certificate.der for certificate in found] == [DER_A, DER_B]
    assert not any(certificate.flaws for certificate in found)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (PEM_B.replace(b"-----END", b"-----ENDE"), "no END line"),
        (PEM_B.replace(b"END CERTIFICATE", b"END X509 CERTIFICATE"), "no END line"),
        (b"-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n", "no base64"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "longer than"),
        (b"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n", "no base64"),
        (b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "longer than"),
        (b"-----BEGIN TRUSTED CERTIFICATE-----\nMIIB\n-----END TRUSTED CERTIFICATE-----\n", "longer than"),
    ],
)
def test_a_broken_block_stays_in_its_place_and_says_how(block: bytes, words: str) -> None:
    """The others are read all the same."""
    first, broken, last = read_certificates(PEM_A + block + PEM_A)
    assert first == last
    assert not first.flaws
    (flaw,) = broken.flaws
    assert flaw.kind is FlawKind.UNREADABLE
    assert words in flaw.sentence
    assert broken.names.common_names


def test_what_follows_a_certificate_in_der_is_a_flaw_of_it() -> None:
    """A line end that an editor put there, and an end that is missing."""
    (found,) = read_certificates(DER_A + b"\n")
    assert [flaw.kind for flaw in found.flaws] == [FlawKind.TRAILING_DATA]
    assert found.der == DER_A
    _, second = read_certificates(DER_A + DER_B[:-5])
    assert not second.is_readable


_CSR = x509.CertificateSigningRequestBuilder().subject_name(A.subject).sign(KEY, hashes.SHA256())
_CRL = (
    x509.CertificateRevocationListBuilder()
    .issuer_name(A.subject)
    .last_update(NOW)
    .next_update(NOW + datetime.timedelta(days=1))
    .sign(KEY, hashes.SHA256())
)
_LOCK = BestAvailableEncryption(b"x")
NONE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "nothing"),
    "blanks": (b" \r\n", "nothing"),
    "text": (b"hello", "neither PEM nor DER"),
    "HTML": (b"<html><body>login</body></html>", "neither PEM nor DER"),
    "JPEG": (b"\xff\xd8\xff\xe0", "neither PEM nor DER"),
    "base64 alone": (base64.encodebytes(DER_A), "without its line"),
    "request": (_CSR.public_bytes(Encoding.PEM), "a request for a certificate"),
    "request in DER": (_CSR.public_bytes(Encoding.DER), "a request for a certificate"),
    "revocation list": (_CRL.public_bytes(Encoding.PEM), "a revocation list"),
    "revocation list in DER": (_CRL.public_bytes(Encoding.DER), "a revocation list"),
    "key": (KEY_PEM, "a private key"),
    "old key": (OLD_KEY_PEM, "a private key"),
    "key in DER": (KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), "a private key"),
    "locked key in DER": (KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, _LOCK), "a private key"),
    "old key in DER": (
        KEY.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
        "a private key",
    ),
    "public key": (
        KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "a public key",
    ),
    "public key in DER": (
        KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "a public key",
    ),
    "bundle": (pkcs7.serialize_certificates([A, B], Encoding.PEM), "a PKCS#7 bundle"),
    "bundle in DER": (pkcs7.serialize_certificates([A, B], Encoding.DER), "a PKCS#7 bundle"),
    "other block": (b"-----BEGIN DH PARAMETERS-----\nMAA=\n-----END DH PARAMETERS-----\n", "'DH PARAMETERS'"),
    "no label": (b"-----BEGIN -----\nMAA=\n-----END -----\n", "broken PEM"),
    "only a BEGIN": (b"-----BEGIN CERTIFICATE", "broken PEM"),
    "key and request": (KEY_PEM + _CSR.public_bytes(Encoding.PEM), "a private key and a request"),
    "PKCS#12 with a key only": (
        pkcs12.serialize_key_and_certificates(None, KEY, None, None, NoEncryption()),
        "with none in it",
    ),
}


@pytest.mark.parametrize("case", NONE)
def test_a_file_without_a_certificate_says_what_it_is_instead(case: str) -> None:
    """A key, a request or a bundle looks much the same on disk, and the mend tells what to give."""
    data, words = NONE[case]
    error = refusal(data)
    assert error.code == "no-certificate-in-file"
    assert words in error.sentence
    assert "BEGIN CERTIFICATE" in error.mend


def test_a_password_is_given_or_asked_for_where_one_is_needed() -> None:
    """It is asked once, and never for a file that opens without; the key is not handed out."""
    asked: list[str] = []

    def ask() -> str:
        asked.append("asked")
        return "secrät"

    assert names(P12_LOCKED, "secrät") == names(P12_LOCKED, ask) == ["a.example", "b.example"]
    assert asked == ["asked"]
    assert (
        names(P12_OPEN, ask) == names(PEM_A + PEM_B, ask) == names(P12_OPEN, "") == ["a.example", "b.example"]
    )
    assert asked == ["asked"]


@pytest.mark.parametrize(
    ("password", "code"),
    [
        (None, "pkcs12-password-needed"),
        ("", "pkcs12-password-needed"),
        ("wrong", "pkcs12-password-wrong"),
        (lambda: "wrong", "pkcs12-password-wrong"),
        (lambda: "", "pkcs12-password-wrong"),
    ],
)
def test_a_password_that_is_missing_or_wrong_is_told_apart(password: files.Password, code: str) -> None:
    """And neither problem repeats it."""
    error = refusal(P12_LOCKED, password)
    assert error.code == code
    assert "wrong" not in error.sentence


@pytest.mark.parametrize("data", [P12_LOCKED[:-5], P12_LOCKED[:9], b"\x30\x80\x02\x01\x03\0\0"])
def test_a_damaged_pkcs12_file_is_told_from_a_locked_one(data: bytes) -> None:
    """No password would open it."""
    assert refusal(data, "x").code == "pkcs12-damaged"


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not there, it is a folder, or it is larger than any certificate file."""
    monkeypatch.setattr(files, "_LARGEST", 10)
    large = tmp_path / "large"
    large.write_bytes(PEM_A)
    for path, words in (
        (tmp_path / "none", "No such file"),
        (tmp_path, "directory"),
        (large, "more than 10"),
    ):
        with pytest.raises(CallerError) as caught:
            load_certificates(path)
        assert caught.value.code == "certificate-file-unreadable"
        assert str(path) in caught.value.sentence
        assert words in caught.value.sentence


@pytest.mark.parametrize(
    "data",
    [
        b"-----BEGIN CERTIFICATE-----" * 200_000,
        b"-----BEGIN " * 500_000,
        b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n" * 20_000,
        b"\x30\x00" * 1_000_000,
        build(subject=name(cn("a"))) * 5_000,
    ],
    ids=["BEGIN", "half a BEGIN", "empty blocks", "empty elements", "certificates"],
)
def test_a_hostile_file_takes_time_in_proportion(data: bytes) -> None:
    """A few megabytes are read in seconds, whatever they are."""
    began = time.process_time()
    try:
        found = read_certificates(data)
    except CallerError:
        found = []
    assert time.process_time() - began < 5
    assert len(found) <= len(data) // 25


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400), st.sampled_from([PEM_A, DER_A, P12_OPEN]))
def test_no_content_makes_it_fail_in_another_way(noise: bytes, at: int, whole: bytes) -> None:
    """Certificates or a problem of ours."""
    for data in (noise, b"\x30" + noise, whole[:at] + noise + whole[at + len(noise) :]):
        try:
            assert read_certificates(data)
        except CallerError:
            continue
