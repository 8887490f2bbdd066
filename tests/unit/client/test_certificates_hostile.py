"""Hostile certificates: nothing is raised, nothing takes long, and each comes back with its typed flaws."""

from __future__ import annotations

import time

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smartlic_client.certificates import Certificate, FlawKind, read_certificate, read_names
from smartlic_client.certificates.der import Remembered
from smartlic_client.names import DnsHost, InvalidName, Match, Policy, judge, match
from tests.unit.client.certificate_forms import (
    EC_KEY,
    ECDSA_SHA256,
    attribute,
    build,
    cn,
    extension,
    integer,
    name,
    oid,
    san,
    tlv,
    validity,
)

GOOD = build(
    extensions=[
        extension("551d13", tlv(0x30), critical=True),
        extension("551d25", tlv(0x30, oid("2b06010505070301"))),
        san((0x82, b"ssm.example"), (0x87, bytes([192, 0, 2, 1]))),
    ]
)
HOST = DnsHost("ssm.example")


def kinds(certificate: Certificate) -> set[FlawKind]:
    return {flaw.kind for flaw in certificate.flaws}


# --- Hostile certificates -------------------------------------------------------------------------

_SAN = san((0x82, b"ssm.example"))
_SERVER = extension("551d25", tlv(0x30, oid("2b06010505070301")))
_RSA = "2a864886f70d010101"


def _rsa(modulus: bytes, exponent: bytes) -> bytes:
    numbers = tlv(0x30, tlv(0x02, modulus), tlv(0x02, exponent))
    return tlv(0x30, tlv(0x30, oid(_RSA), b"\x05\0"), tlv(0x03, b"\0", numbers))


HOSTILE: dict[str, tuple[bytes, FlawKind | None]] = {
    "nothing": (b"", FlawKind.UNREADABLE),
    "one byte": (b"\x30", FlawKind.UNREADABLE),
    "an empty sequence": (b"\x30\0", FlawKind.UNREADABLE),
    "text": (b"hello, world", FlawKind.UNREADABLE),
    "no sequence": (b"\x31" + GOOD[1:], FlawKind.UNREADABLE),
    "cut off": (GOOD[:-1], FlawKind.UNREADABLE),
    "cut in half": (GOOD[: len(GOOD) // 2], FlawKind.UNREADABLE),
    "indefinite length": (b"\x30\x80" + GOOD[4:] + b"\0\0", FlawKind.UNREADABLE),
    "length longer than need be": (b"\x30\x83\0" + GOOD[2:], FlawKind.UNREADABLE),
    "huge length": (b"\x30\x88" + b"\xff" * 8 + GOOD, FlawKind.UNREADABLE),
    "length of 127 octets": (b"\x30\xff" + b"\xff" * 127, FlawKind.UNREADABLE),
    "tag of several bytes": (tlv(0x30, b"\x1f\x81\x01\0"), FlawKind.UNREADABLE),
    "something follows": (GOOD + b"\0", FlawKind.TRAILING_DATA),
    "a field too many": (build(rest=tlv(0x04, b"")), FlawKind.UNREADABLE),
    "unique identifiers": (build(rest=b"\x81\x02\0\1\x82\x02\0\1"), None),
    "unique identifiers in the wrong order": (build(rest=b"\x82\x02\0\1\x81\x02\0\1"), FlawKind.UNREADABLE),
    "version 4": (build(version=b"\xa0\x03\x02\x01\x03"), FlawKind.BAD_VERSION),
    "version 1 spelled out": (build(version=b"\xa0\x03\x02\x01\0"), FlawKind.BAD_VERSION),
    "version is no number": (build(version=b"\xa0\x02\x05\0"), FlawKind.BAD_VERSION),
    "extensions in version 1": (build(version=b"", extensions=[_SAN]), FlawKind.BAD_VERSION),
    "extensions in version 2": (
        build(version=b"\xa0\x03\x02\x01\x01", extensions=[_SAN]),
        FlawKind.BAD_VERSION,
    ),
    "negative serial": (build(serial=integer(-5)), FlawKind.BAD_SERIAL),
    "serial zero": (build(serial=integer(0)), FlawKind.BAD_SERIAL),
    "serial of 21 octets": (build(serial=integer(2**160)), FlawKind.BAD_SERIAL),
    "serial of a megabyte": (build(serial=tlv(0x02, b"\1" * 2**20)), FlawKind.BAD_SERIAL),
    "serial with a zero before": (build(serial=tlv(0x02, b"\0\1")), FlawKind.BAD_SERIAL),
    "empty serial": (build(serial=tlv(0x02)), FlawKind.BAD_SERIAL),
    "1950": (build(valid=validity(b"500101000000Z", b"991231235959Z")), None),
    "1949 cannot be said": (
        build(valid=validity(b"490101000000Z", b"500101000000Z")),
        FlawKind.NEVER_VALID,
    ),
    "2099": (build(valid=tlv(0x30, tlv(0x17, b"250101000000Z"), tlv(0x18, b"20991231235959Z"))), None),
    "9999": (build(valid=tlv(0x30, tlv(0x17, b"250101000000Z"), tlv(0x18, b"99991231235959Z"))), None),
    "year 0": (build(valid=validity(b"00000101000000Z", b"20991231235959Z", 0x18)), FlawKind.BAD_DATE),
    "wrong form for its year": (
        build(valid=validity(b"20250101000000Z", b"20991231235959Z", 0x18)),
        FlawKind.BAD_DATE,
    ),
    "30 February": (build(valid=validity(b"250230000000Z")), FlawKind.BAD_DATE),
    "month 13": (build(valid=validity(b"251301000000Z")), FlawKind.BAD_DATE),
    "second 60": (build(valid=validity(b"250101000060Z")), FlawKind.BAD_DATE),
    "no seconds": (build(valid=validity(b"2501010000Z")), FlawKind.BAD_DATE),
    "a zone": (build(valid=validity(b"250101000000+0100")), FlawKind.BAD_DATE),
    "fractions": (build(valid=validity(b"20250101000000.5Z", b"20991231235959Z", 0x18)), FlawKind.BAD_DATE),
    "no digits": (build(valid=validity(b"25010100000xZ")), FlawKind.BAD_DATE),
    "a time of another type": (build(valid=validity(tag=0x0C)), FlawKind.BAD_DATE),
    "one time": (build(valid=tlv(0x30, tlv(0x17, b"250101000000Z"))), FlawKind.BAD_DATE),
    "broken validity": (build(valid=tlv(0x30, b"\x17\x20")), FlawKind.BAD_DATE),
    "ends before it begins": (
        build(valid=validity(b"350101000000Z", b"250101000000Z")),
        FlawKind.NEVER_VALID,
    ),
    "empty subject": (build(subject=name()), None),
    "subject is no list of sets": (build(subject=name(tlv(0x30))), FlawKind.BAD_NAME),
    "empty set in the subject": (build(subject=name(cn("ssm.example"), tlv(0x31))), FlawKind.BAD_NAME),
    "attribute of three": (
        build(subject=name(tlv(0x31, tlv(0x30, oid("550403"), tlv(0x0C, b"a"), tlv(0x0C, b"b"))))),
        FlawKind.BAD_NAME,
    ),
    "attribute type without end": (build(subject=name(attribute("5583", b"a"))), FlawKind.BAD_NAME),
    "issuer cut off": (build(issuer=tlv(0x30, b"\x31\x20")), FlawKind.BAD_NAME),
    "bytes in the issuer": (build(issuer=name(attribute("55040a", b"\xff"))), FlawKind.BAD_NAME),
    "unknown key": (
        build(key=tlv(0x30, tlv(0x30, oid("2a0304")), tlv(0x03, b"\0x"))),
        FlawKind.UNKNOWN_ALGORITHM,
    ),
    "unknown curve": (
        build(key=tlv(0x30, tlv(0x30, oid("2a8648ce3d0201"), oid("2a0304")), tlv(0x03, b"\0\4xx"))),
        FlawKind.UNKNOWN_ALGORITHM,
    ),
    "a curve of its own": (
        build(key=tlv(0x30, tlv(0x30, oid("2a8648ce3d0201"), tlv(0x30)), tlv(0x03, b"\0\4xx"))),
        FlawKind.UNKNOWN_ALGORITHM,
    ),
    "a point that is none": (build(key=EC_KEY[:-1].replace(b"\x03\x42", b"\x03\x41")), FlawKind.UNREADABLE),
    "a point too short": (
        build(key=tlv(0x30, tlv(0x30, oid("2a8648ce3d0201"), oid("2a8648ce3d030107")), tlv(0x03, b"\0\4x"))),
        FlawKind.BAD_KEY,
    ),
    "no key": (build(key=tlv(0x30)), FlawKind.BAD_KEY),
    "key of half a byte": (build(key=tlv(0x30, tlv(0x30, oid(_RSA)), tlv(0x03, b"\4x"))), FlawKind.BAD_KEY),
    "key of no bits": (build(key=tlv(0x30, tlv(0x30, oid(_RSA)), tlv(0x03))), FlawKind.BAD_KEY),
    "negative modulus": (build(key=_rsa(b"\x80" * 256, b"\1\0\1")), FlawKind.BAD_KEY),
    "modulus zero": (build(key=_rsa(b"\0", b"\1\0\1")), FlawKind.BAD_KEY),
    "no exponent": (build(key=_rsa(b"\1" * 256, b"")), FlawKind.BAD_KEY),
    "modulus of a megabyte": (build(key=_rsa(b"\1" * 2**20, b"\1" * 2**20)), None),
    "unknown signature": (build(algorithm=tlv(0x30, oid("2a0304"))), FlawKind.UNKNOWN_ALGORITHM),
    "no signature algorithm": (build(algorithm=tlv(0x30)), FlawKind.UNKNOWN_ALGORITHM),
    "two signature algorithms": (
        build(outer_algorithm=tlv(0x30, oid("2a8648ce3d040303"))),
        FlawKind.ALGORITHMS_DIFFER,
    ),
    "a SAN twice": (build(extensions=[_SAN, _SERVER, _SAN]), FlawKind.DUPLICATE_EXTENSION),
    "usages twice": (build(extensions=[_SERVER, _SERVER]), FlawKind.DUPLICATE_EXTENSION),
    "an unknown extension twice": (
        build(extensions=[extension("2a0304", b"x")] * 2),
        FlawKind.DUPLICATE_EXTENSION,
    ),
    "empty SAN": (build(extensions=[san()]), FlawKind.BAD_EXTENSION),
    "SAN without a value": (build(extensions=[extension("551d11")]), FlawKind.BAD_EXTENSION),
    "SAN with two values": (
        build(extensions=[extension("551d11", tlv(0x30), tlv(0x30))]),
        FlawKind.BAD_EXTENSION,
    ),
    "SAN cut off": (build(extensions=[extension("551d11", b"\x30\x05\x82\x09a")]), FlawKind.BAD_EXTENSION),
    "constructed dNSName": (
        build(extensions=[san((0xA2, tlv(0x16, b"ssm.example")))]),
        FlawKind.BAD_EXTENSION,
    ),
    "usages without a value": (build(extensions=[extension("551d25")]), FlawKind.BAD_EXTENSION),
    "no usages": (build(extensions=[extension("551d25", tlv(0x30))]), FlawKind.BAD_EXTENSION),
    "usages that are none": (
        build(extensions=[extension("551d25", tlv(0x30, integer(1)))]),
        FlawKind.BAD_EXTENSION,
    ),
    "key usage of four bytes": (
        build(extensions=[extension("551d0f", tlv(0x03, b"\0abc"))]),
        FlawKind.BAD_EXTENSION,
    ),
    "constraints of three": (
        build(extensions=[extension("551d13", tlv(0x30, b"\1\1\xff", integer(1), integer(2)))]),
        FlawKind.BAD_EXTENSION,
    ),
    "negative path length": (
        build(extensions=[extension("551d13", tlv(0x30, b"\1\1\xff", integer(-1)))]),
        FlawKind.BAD_EXTENSION,
    ),
    "extensions are no list": (build(extensions=[tlv(0x31)]), FlawKind.BAD_EXTENSION),
    "extension of one": (build(extensions=[tlv(0x30, oid("551d11"))]), FlawKind.BAD_EXTENSION),
    "extension without a type": (build(extensions=[extension("", b"")]), FlawKind.BAD_EXTENSION),
    "unknown critical extension": (
        build(extensions=[extension("2a0304", b"x", critical=True)]),
        FlawKind.UNKNOWN_CRITICAL_EXTENSION,
    ),
    "unknown extension": (build(extensions=[extension("2a0304", b"x")]), None),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_certificate_comes_back_with_its_flaws(case: str) -> None:
    """Of just this kind or none, each with a sentence, and a second reading says the same."""
    der, expected = HOSTILE[case]
    found = read_certificate(der)
    assert kinds(found) == ({expected} - {None})
    assert found.is_readable == (expected is not FlawKind.UNREADABLE)
    assert all(flaw.sentence.isprintable() and len(flaw.sentence) < 300 for flaw in found.flaws)
    assert read_certificate(der) == found
    assert str(found.serial)
    assert found.fingerprint.startswith("sha256:")


@pytest.mark.parametrize(
    "case",
    ["a SAN twice", "empty SAN", "SAN cut off", "constructed dNSName", "extensions are no list", "cut off"],
)
def test_alternative_names_that_cannot_be_read_are_none_and_not_absent(case: str) -> None:
    """An unreadable SAN matches nothing, and it does not look as if there were none."""
    names = read_names(HOSTILE[case][0])
    assert isinstance(names.dns[0], InvalidName)
    assert not names.unnamed
    assert not isinstance(match(HOST, names, Policy.SUBJECT_ALTERNATIVE_NAME), Match)


@pytest.mark.parametrize("case", ["usages twice", "usages without a value", "no usages", "extension of one"])
def test_usages_that_cannot_be_read_allow_nothing(case: str) -> None:
    """Not even what a certificate without the extension would be allowed."""
    found = read_certificate(HOSTILE[case][0])
    assert found.extended_usages == ()
    assert not found.may_serve


@pytest.mark.parametrize(
    ("der", "count"),
    [
        (build(subject=name(cn("a" * 2**20))), 1),
        (build(subject=name(cn(b"\xff" * 2**20))), 1),
        (build(subject=name(cn("\U0001f600" * 2**18))), 1),
        (build(subject=name(*[cn("a.example")] * 50_000)), 50_000),
        (build(subject=name(tlv(0x31, *[cn("a.example")[2:]] * 50_000))), 50_000),
        (build(subject=name(cn("x")), extensions=[san(*[(0x82, b"*.example")] * 10_000)]), 10_000),
        (build(subject=name(cn("x")), extensions=[san(*[(0x87, bytes(16))] * 10_000)]), 10_000),
        (build(extensions=[extension("2a0304", b"x")] * 20_000), 1),
        (build(extensions=[extension("551d25", tlv(0x30, *[oid("2a0304")] * 50_000))]), 1),
    ],
    ids=["megabyte", "bytes", "emoji", "many", "many in one", "dns", "ip", "extensions", "usages"],
)
def test_what_is_huge_is_read_and_judged_in_time_and_told_in_a_few_words(der: bytes, count: int) -> None:
    """Time and text stay in proportion: no report is filled by one certificate."""
    began = time.process_time()
    found = read_certificate(der)
    judgement = judge(HOST, found.names)
    assert time.process_time() - began < 5
    mismatches = judgement.either.mismatches
    assert len(mismatches) + len(judgement.either.matches) >= count
    assert max(len(mismatch.sentence) for mismatch in mismatches) < 3000
    assert len(found.subject) < 1000


def test_what_is_remembered_is_bounded() -> None:
    """Large contents are not kept, and the memory starts anew when it is full."""
    memory: Remembered[int] = Remembered(len)
    assert memory[b"x" * 257] == 257
    assert not memory
    for number in range(5000):
        assert memory[b"%d" % number] == len(str(number))
    assert len(memory) <= 4096


@settings(deadline=None, max_examples=300)
@example(b"\x00\x00", 0)
@given(st.binary(max_size=60), st.integers(0, len(GOOD)))
def test_reading_never_raises(noise: bytes, at: int) -> None:
    """Whatever stands in place of a certificate or inside of one, a certificate or a flaw comes back."""
    read_certificate(noise)
    der = bytearray(GOOD)
    der[at : at + len(noise)] = noise
    read_certificate(bytes(der))
    assert not read_certificate(GOOD[:at]).is_readable or at == len(GOOD)


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_reading_never_raises_where_the_structure_is_whole(data: st.DataObject) -> None:
    """Elements of any type in every place, with right lengths, so that all readers are reached."""
    leaf = st.builds(tlv, st.integers(0, 255), st.binary(max_size=20))
    outer = st.sampled_from([0x30, 0x31, 0xA0, 0x03, 0x04])
    some = st.recursive(
        leaf, lambda inner: st.builds(lambda tag, held: tlv(tag, *held), outer, st.lists(inner, max_size=3))
    )
    parts = {"subject": name(cn("a")), "valid": validity(), "key": EC_KEY, "algorithm": ECDSA_SHA256}
    for part in data.draw(st.sets(st.sampled_from(sorted(parts)))):
        parts[part] = tlv(0x30, *data.draw(st.lists(some, max_size=3)))
    kind = data.draw(st.sampled_from(["551d11", "551d0f", "551d13", "551d25"]))
    found = read_certificate(build(**parts, extensions=[extension(kind, data.draw(some))]))
    assert found.is_readable
    judge(HOST, found.names)


@pytest.mark.filterwarnings("ignore:Parsed a serial number:cryptography.utils.CryptographyDeprecationWarning")
@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
@example(15, 0)  # a serial number of 0, which cryptography reads with a warning
def test_what_cryptography_reads_is_read_the_same(at: int, octet: int) -> None:
    """With one byte changed: where both read a Common Name, it is the same."""
    der = bytearray(GOOD)
    der[at] = octet
    try:
        subject = x509.load_der_x509_certificate(bytes(der)).subject
    except (ValueError, x509.InvalidVersion):
        return
    theirs = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    ours = read_names(bytes(der)).common_names
    assert len(ours) >= len(theirs)
    for one, other in zip(ours, theirs, strict=False):
        assert isinstance(one, InvalidName) or one == other.value
