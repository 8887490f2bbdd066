"""A certificate in DER → what the checks need of it. Pure, and nothing is raised whatever the bytes are.

Rules:

- What can't be read is a `Flaw`, and the rest is read on: a report tells all that is wrong at once.
- A name that can't be read is an `InvalidName`, never left out: it would hide that there are two.
- The names are read here and not by `cryptography`, which refuses the whole subject for one bad string and
  lets through an IA5String that is none.
- The chain and its signatures are OpenSSL's to judge (`transport.tls`): this says what stands there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from smartlic_client.certificates.der import (
    SEQUENCE,
    DerError,
    Remembered,
    elements,
    first,
    parts,
    read_integer,
    read_time,
)
from smartlic_client.certificates.fields import (
    SIGNATURE_ALGORITHMS,
    UNREAD_NAMES,
    UNREADABLE,
    AlternativeNames,
    BasicConstraints,
    Key,
    Name,
    SignatureAlgorithm,
    extension_in_words,
    read_extensions,
    read_key,
    read_name,
)
from smartlic_client.certificates.flaws import Flaw, FlawKind
from smartlic_client.certificates.tables import (
    BASIC_CONSTRAINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    SUBJECT_ALTERNATIVE_NAME,
)
from smartlic_client.names import CertificateNames, InvalidName

__all__ = ["Certificate", "read_certificate", "read_names", "unreadable"]

T = TypeVar("T")


class Certificate(msgspec.Struct, frozen=True, gc=False):
    """What stands in a certificate. A field is None where it could not be read; `flaws` says why.

    `der`: its bytes, without what followed them. `subject` and `issuer`: in the form of RFC 4514, for a human
    eye. `self_issued`: they are the same name, byte for byte. `basic_constraints`, `key_usages` and
    `extended_usages` are None where there is no such extension; the usages are empty where one can't be read,
    so that what can't be read allows nothing.
    """

    der: bytes
    names: CertificateNames
    subject: str = ""
    issuer: str = ""
    self_issued: bool = False
    version: int | None = None
    serial: int | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    key: Key | None = None
    signature: SignatureAlgorithm | None = None
    basic_constraints: BasicConstraints | None = None
    key_usages: tuple[str, ...] | None = None
    extended_usages: tuple[str, ...] | None = None
    flaws: tuple[Flaw, ...] = ()

    @property
    def is_readable(self) -> bool:
        """False where the bytes are no certificate at all."""
        return not any(flaw.kind is FlawKind.UNREADABLE for flaw in self.flaws)

    @property
    def fingerprint(self) -> str:
        """`sha256:` and the hexadecimal digest of the DER: what a person compares."""
        return "sha256:" + hashlib.sha256(self.der).hexdigest()

    @property
    def may_serve(self) -> bool:
        """Whether a server may use it: extended usages, where there are any, include serverAuth.

        Without the extension the key is for every purpose (RFC 5280, section 4.2.1.12).
        anyExtendedKeyUsage alone is not enough: the section lets clients refuse it, and OpenSSL does.
        """
        return self.extended_usages is None or "serverAuth" in self.extended_usages


def read_names(der: bytes) -> CertificateNames:
    """The names of a DER certificate. Never raises: what can't be read comes back as an `InvalidName`."""
    return read_certificate(der).names


def read_certificate(der: bytes) -> Certificate:
    """Read a DER certificate. Never raises: what is wrong with it comes back as its `flaws`."""
    try:
        return _Reader(der).read()
    except DerError as error:
        return unreadable(der, str(error))


@lru_cache(maxsize=16)
def unreadable(der: bytes, why: str) -> Certificate:
    """What stands in place of a certificate that is none; nothing matches its names."""
    unread = (InvalidName("", f"the certificate can't be read: {why}"),)
    flaw = Flaw(FlawKind.UNREADABLE, "DER", f"it can't be read: {why}")
    return Certificate(der, CertificateNames(unread, unread), flaws=(flaw,))


class _Reader:
    """One certificate on its way from bytes to `Certificate`, with the flaws found so far."""

    def __init__(self, der: bytes) -> None:
        self._flaws: list[Flaw] = []
        end, self._content = first(der)
        if der[0] != SEQUENCE:
            raise DerError("it is no certificate")
        self._der = der[:end]
        if end < len(der):
            self._note(FlawKind.TRAILING_DATA, "DER", f"{len(der) - end} bytes follow it")

    def read(self) -> Certificate:
        to_be_signed, algorithm, _ = parts(self._content, b"\x30\x30\x03")
        tags, fields = elements(to_be_signed)
        version: int | None = 1  # left out, it is the first (section 4.1)
        if tags[:1] == b"\xa0":
            version = self._version(fields[0])
            del tags[0], fields[0]
        # the rest: issuerUniqueID, subjectUniqueID, extensions
        if tags[:6] != b"\x02\x30\x30\x30\x30\x30" or tags[6:] not in _RESTS:
            raise DerError("its parts are not those of a certificate")
        serial, inner, issuer, validity, subject, key = fields[:6]
        extensions = fields[-1] if tags[-1] == 0xA3 else None
        named = self._try(FlawKind.BAD_NAME, "subject", read_name, subject)
        issued = self._try(FlawKind.BAD_NAME, "issuer", _ISSUERS.__getitem__, issuer)
        for part, name in (("subject", named), ("issuer", issued)):
            for bad in name.bad if name else ():
                self._note(FlawKind.BAD_NAME, part, bad)
        not_before, not_after = self._validity(validity)
        found = self._extensions(version, extensions)
        alternative, constraints, usages, extended = found
        return Certificate(
            self._der,
            _names(named, alternative),
            named.text if named else "",
            issued.text if issued else "",
            subject == issuer,
            version,
            self._serial(serial),
            not_before,
            not_after,
            self._key(key),
            self._signature(algorithm, inner),
            constraints,
            usages,
            extended,
            tuple(self._flaws),
        )

    def _note(self, kind: FlawKind, part: str, detail: str) -> None:
        self._flaws.append(Flaw(kind, part, detail))

    def _try(self, kind: FlawKind, part: str, reader: Callable[[bytes], T], content: bytes) -> T | None:
        try:
            return reader(content)
        except DerError as error:
            self._note(kind, part, f"it can't be read: {error}")
            return None

    def _version(self, content: bytes) -> int | None:
        # a 1 stands for version 2, a 2 for version 3; a 0 for version 1 is left out (X.690, section 11.5)
        if version := _VERSIONS.get(content):
            return version
        self._note(FlawKind.BAD_VERSION, "version", "it is none of 1 to 3, written as it has to be")
        return None

    def _serial(self, content: bytes) -> int | None:
        serial = self._try(FlawKind.BAD_SERIAL, "serial number", read_integer, content)
        if serial is not None and serial <= 0:
            self._note(FlawKind.BAD_SERIAL, "serial number", "it is not positive")
        if len(content) > _LONGEST_SERIAL:
            self._note(FlawKind.BAD_SERIAL, "serial number", f"it has {len(content)} octets, more than 20")
        return serial if len(content) <= _LONGEST_PRINTED else None

    def _validity(self, content: bytes) -> tuple[datetime | None, datetime | None]:
        read = self._try(FlawKind.BAD_DATE, "validity", elements, content)
        if read is None:
            return None, None
        tags, times = read
        if len(times) != 2:
            self._note(FlawKind.BAD_DATE, "validity", "it is not two times")
            return None, None
        since, until = self._time("notBefore", tags[0], times[0]), self._time("notAfter", tags[1], times[1])
        if since is not None and until is not None and until < since:
            self._note(FlawKind.NEVER_VALID, "validity", "it ends before it begins")
        return since, until

    def _time(self, part: str, tag: int, content: bytes) -> datetime | None:
        try:
            time = read_time(tag, content)
        except DerError as error:
            self._note(FlawKind.BAD_DATE, part, f"it can't be read: {error}")
            return None
        if tag == _GENERALIZED_TIME and time.year < 2050:
            self._note(FlawKind.BAD_DATE, part, "it is a GeneralizedTime, and to 2049 it has to be a UTCTime")
        return time

    def _key(self, content: bytes) -> Key | None:
        key = self._try(FlawKind.BAD_KEY, "key", read_key, content)
        if key is not None and not key.known:
            what = key.kind if key.curve is None else f"{key.kind} on {key.curve}"
            self._note(FlawKind.UNKNOWN_ALGORITHM, "key", f"{what} is not known")
        return key

    def _signature(self, outer: bytes, inner: bytes) -> SignatureAlgorithm | None:
        if outer != inner:
            self._note(FlawKind.ALGORITHMS_DIFFER, "signature", "its algorithm is named twice, and differs")
        found = self._try(FlawKind.UNKNOWN_ALGORITHM, "signature", SIGNATURE_ALGORITHMS.__getitem__, outer)
        if found is not None and not found.known:
            self._note(FlawKind.UNKNOWN_ALGORITHM, "signature", f"{found.name} is not known")
        return found

    def _extensions(self, version: int | None, content: bytes | None) -> _Extensions:
        """The values of those that are looked at."""
        if content is None:
            return _NO_EXTENSIONS
        if version != 3:
            self._note(FlawKind.BAD_VERSION, "version", "there are extensions, which only version 3 has")
        listed = self._try(FlawKind.BAD_EXTENSION, "extensions", read_extensions, content)
        if listed is None:
            return _UNREAD
        says: dict[bytes, Any] = {}
        for kind, said, flaw in listed:
            if flaw is not None:
                self._note(flaw[0], extension_in_words(kind), flaw[1])
            if kind in says:  # which of the two would count, differs from client to client
                self._note(FlawKind.DUPLICATE_EXTENSION, extension_in_words(kind), "it stands there twice")
                says[kind] = UNREADABLE.get(kind)
            else:
                says[kind] = said
        return (
            says.get(SUBJECT_ALTERNATIVE_NAME, _NO_NAMES),
            says.get(BASIC_CONSTRAINTS),
            says.get(KEY_USAGE),
            says.get(EXTENDED_KEY_USAGE),
        )


_RESTS = (b"\xa3", b"", b"\x81\xa3", b"\x82\xa3", b"\x81\x82\xa3", b"\x81", b"\x82", b"\x81\x82")
_GENERALIZED_TIME = 0x18
_LONGEST_SERIAL = 20
_LONGEST_PRINTED = 64
_VERSIONS = {b"\2\1\1": 2, b"\2\1\2": 3}

_Extensions = tuple[AlternativeNames, BasicConstraints | None, tuple[str, ...] | None, tuple[str, ...] | None]

_NO_NAMES = AlternativeNames((), (), ())
_NO_EXTENSIONS: _Extensions = (_NO_NAMES, None, None, None)
_UNREAD: _Extensions = (UNREAD_NAMES, None, (), ())


_ISSUERS = Remembered(read_name)


def _names(subject: Name | None, alternative: AlternativeNames) -> CertificateNames:
    common_names: tuple[str | InvalidName, ...]
    if subject is None:
        common_names = (InvalidName("", "the certificate's subject can't be read"),)
    else:
        common_names = subject.common_names
    return CertificateNames(common_names, alternative.dns, alternative.ip, alternative.other)
