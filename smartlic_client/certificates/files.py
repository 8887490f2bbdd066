"""All certificates of a file, whatever its form: PEM, DER, or PKCS#12. Keys are never read out of it.

- PEM (RFC 7468): any number of certificates, with text, keys and other blocks between them, which are passed
  over. A block that is broken stays in its place, as a certificate with the flaw `unreadable`.
- DER: one certificate after the other.
- PKCS#12 (RFC 7292): the certificates. The library opens the key along with them; it is dropped at once.

What is none of these is a problem that says what was found instead.
"""

from __future__ import annotations

import binascii
import codecs
from collections.abc import Callable, Iterator
from pathlib import Path

from smartlic_client.certificates.der import SEQUENCE, DerError, elements, first
from smartlic_client.certificates.reading import Certificate, read_certificate, unreadable
from smartlic_client.errors import CallerError, SmartlicError, problem

__all__ = ["Password", "load_certificates", "read_certificates"]

Password = str | Callable[[], str] | None
"""Of a PKCS#12 file: given, or asked for once it is known to be needed."""

certificate_file_unreadable = problem(
    "certificate-file-unreadable",
    CallerError,
    "The file {name} cannot be read: {reason}.",
    "Check its path and that you may read it.",
)
no_certificate_in_file = problem(
    "no-certificate-in-file",
    CallerError,
    "{name} holds no certificate, but {found}.",
    "Give a file with certificates in PEM (-----BEGIN CERTIFICATE-----), DER or PKCS#12. Of a PKCS#7 bundle, "
    "`openssl pkcs7 -print_certs -in FILE` makes PEM (with -inform DER where it is binary).",
)
pkcs12_password_needed = problem(
    "pkcs12-password-needed",
    CallerError,
    "{name} is a PKCS#12 file that is locked with a password.",
    "Give its password.",
)
pkcs12_password_wrong = problem(
    "pkcs12-password-wrong",
    CallerError,
    "The password does not open the PKCS#12 file {name}.",
    "Give the password that it was exported with. If that is the one, the file is damaged: export it again.",
)
pkcs12_damaged = problem(
    "pkcs12-damaged",
    CallerError,
    "The PKCS#12 file {name} cannot be read: {reason}.",
    "Export it again, with AES-256 and SHA-256, or export the certificates alone as PEM.",
)

_LARGEST = 64 * 1024 * 1024


def load_certificates(path: Path, password: Password = None) -> list[Certificate]:
    """All certificates of the file at `path`, in its order, at least one. Raises as `read_certificates`.

    And `certificate-file-unreadable`, also for a file of more than 64 MiB.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise certificate_file_unreadable(name=str(path), reason=error.strerror or str(error)) from error
    if len(data) > _LARGEST:
        raise certificate_file_unreadable(name=str(path), reason=f"it has more than {_LARGEST} bytes")
    return read_certificates(data, password, name=str(path))


def read_certificates(data: bytes, password: Password = None, *, name: str = "the file") -> list[Certificate]:
    """All certificates in the content of a file, in its order, at least one. `name`: as problems call it.

    Raises `no-certificate-in-file`, `pkcs12-password-needed`, `pkcs12-password-wrong`, `pkcs12-damaged`.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # a text file as Windows writes it
        data = data.decode("utf-16", "replace").encode()
    if b"-----BEGIN " in data:
        return _read_pem(data, name)
    if _is_pkcs12(data):
        return _read_pkcs12(data, password, name)
    if data[:1] == b"\x30":
        return _read_der(data, name)
    raise no_certificate_in_file(name=name, found=_what_text(data))


# --- PEM ------------------------------------------------------------------------------------------

_CERTIFICATES = (b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE")
_BLOCKS = (
    (b"PRIVATE KEY", "a private key"),
    (b"PUBLIC KEY", "a public key"),
    (b"CERTIFICATE REQUEST", "a request for a certificate"),
    (b"PKCS7", "a PKCS#7 bundle"),
    (b"CMS", "a PKCS#7 bundle"),
    (b"CRL", "a revocation list"),
)


def _read_pem(data: bytes, name: str) -> list[Certificate]:
    found: list[Certificate] = []
    others: list[str] = []
    for label, body in _blocks(data):
        if label in _CERTIFICATES:
            found.append(_read_block(label, body))
        else:
            others.append(_what_block(label))
    if not found:
        raise no_certificate_in_file(name=name, found=" and ".join(dict.fromkeys(others)) or "broken PEM")
    return found


def _blocks(data: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """Label and base64 of each block; None where its END line is not what comes next."""
    at = 0
    while (begin := data.find(b"-----BEGIN ", at)) >= 0:
        at = begin + 11
        stop = data.find(b"-----", at)
        label = data[at:stop]
        if stop < 0 or not 0 < len(label) <= 64 or b"\n" in label:
            continue
        at = stop + 5
        end = data.find(b"-----", at)  # base64 has no hyphen, so the next ones are those of the END line
        last = b"-----END " + label + b"-----"
        if end >= 0 and data.startswith(last, end):
            yield label, data[at:end]
            at = end + len(last)
        else:
            yield label, None


def _read_block(label: bytes, body: bytes | None) -> Certificate:
    if body is None:
        return unreadable(b"", "its PEM block has no END line")
    try:
        der = binascii.a2b_base64(
            body
        )  # leaves out what is no base64: line ends, and what should not be there
        # OpenSSL's own form: what it is trusted for follows the certificate
        found = read_certificate(der[: first(der)[0]] if label == _CERTIFICATES[2] else der)
        if found.flaws and not found.is_readable:
            binascii.a2b_base64(b"".join(body.split()), strict_mode=True)
    except binascii.Error as error:
        return unreadable(b"", f"its PEM block is no base64 ({error})")
    except DerError as error:
        return unreadable(der, str(error))
    return found


def _what_block(label: bytes) -> str:
    for part, words in _BLOCKS:
        if part in label:
            return words
    return f"a block {label.decode('latin-1')!r}"


def _what_text(data: bytes) -> str:
    if not data.strip():
        return "nothing"
    if data.lstrip().startswith(b"MII"):
        return "what may be one without its line -----BEGIN CERTIFICATE-----"
    return "something that is neither PEM nor DER nor PKCS#12"


# --- DER ------------------------------------------------------------------------------------------


def _read_der(data: bytes, name: str) -> list[Certificate]:
    if what := _what_der(data):
        raise no_certificate_in_file(name=name, found=what)
    found: list[Certificate] = []
    start = 0
    while start < len(data):
        try:
            end, _ = first(data, start)
        except DerError:
            end = len(data)
        if data[end : end + 1] != b"\x30":
            end = len(data)  # what follows is no certificate: a flaw of this one
        found.append(read_certificate(data[start:end]))
        if not found[-1].is_readable:
            break
        start = end
    return found


def _what_der(data: bytes) -> str | None:
    """What the structure is if it is no certificate, or None where it is one or nothing that is known."""
    try:
        tags, fields = elements(first(data)[1])
        inner = elements(fields[0])[0] if tags[:1] == b"\x30" else bytearray()
    except DerError:
        return None
    if tags == b"\x06\xa0":
        return "a PKCS#7 bundle"
    if tags == b"\x30\x03":
        return "a public key"
    # PKCS#8 locked and open; PKCS#1; SEC 1
    if tags == b"\x30\x04" or tags.startswith((b"\x02\x30\x04", b"\2\2", b"\2\4")):
        return "a private key"
    if tags == b"\x30\x30\x03" and inner[:3] == b"\x02\x30\x30":
        if len(inner) <= 4:
            return "a request for a certificate"
        if inner[3] in (0x17, 0x18):  # a time, where a certificate has its validity
            return "a revocation list"
    return None


# --- PKCS#12 --------------------------------------------------------------------------------------


def _is_pkcs12(data: bytes) -> bool:
    """A PFX begins with version 3 (RFC 7292, section 4); exports may be BER, with no definite length."""
    if len(data) < 5 or data[0] != SEQUENCE:
        return False
    begin = 2 + (data[1] & 0x7F if data[1] >= 0x80 else 0)
    return data[begin : begin + 3] == b"\x02\x01\x03"


def _read_pkcs12(data: bytes, password: Password, name: str) -> list[Certificate]:
    given = password
    try:
        # a file without a password is opened by any client; only then is somebody asked
        found = _open_pkcs12(data, given.encode() if isinstance(given, str) and given else None, name)
    except _LockedError:
        if isinstance(given, str) and given:
            raise pkcs12_password_wrong(name=name) from None
        if not callable(given):
            raise pkcs12_password_needed(name=name) from None
        try:
            found = _open_pkcs12(data, given().encode(), name)
        except _LockedError:
            raise pkcs12_password_wrong(name=name) from None
    if not found:
        raise no_certificate_in_file(name=name, found="a PKCS#12 file with none in it")
    return found


class _LockedError(Exception):
    """It does not open with this password."""


def _open_pkcs12(data: bytes, password: bytes | None, name: str) -> list[Certificate]:
    # Only here: few files are PKCS#12, and every command would pay for the imports.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

    try:
        opened = pkcs12.load_pkcs12(data, password)
    except UnsupportedAlgorithm as error:
        raise _damaged(name, error) from error
    except ValueError as error:
        if "password" in str(error):
            raise _LockedError from error
        raise _damaged(name, error) from error
    bags = [opened.cert, *opened.additional_certs]
    return [read_certificate(bag.certificate.public_bytes(Encoding.DER)) for bag in bags if bag is not None]


def _damaged(name: str, error: Exception) -> SmartlicError:
    return pkcs12_damaged(name=name, reason=str(error).rstrip("."))
