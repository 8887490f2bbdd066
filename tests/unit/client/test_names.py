"""The rules of names.md: which hosts there are, and when one is a certificate's name."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from smartlic_client.errors import CallerError
from smartlic_client.names import (
    CertificateNames,
    DnsHost,
    Host,
    InvalidName,
    IPv4Host,
    IPv6Host,
    Match,
    Mismatch,
    NameDiffers,
    NameIsInvalid,
    NoAlternativeName,
    NoCommonName,
    Policy,
    SeveralCommonNames,
    address_on_dual_stack,
    match,
    parse_host,
    sentences,
)

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
DNS_NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
HOSTS = st.one_of(
    st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(lambda address: f"[{address}]"), DNS_NAMES
)


def cn(*names: str | InvalidName) -> CertificateNames:
    return CertificateNames(names)


def mismatches(
    host: str, names: CertificateNames, policy: Policy = Policy.COMMON_NAME
) -> tuple[Mismatch, ...]:
    verdict = match(parse_host(host), names, policy)
    assert not isinstance(verdict, Match)
    return verdict


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("192.0.2.10", IPv4Host(IPv4Address("192.0.2.10"))),
        ("2001:DB8::A", IPv6Host(IPv6Address("2001:db8::a"))),
        ("[2001:db8:0:0::a]", IPv6Host(IPv6Address("2001:db8::a"))),
        ("::ffff:192.0.2.10", IPv6Host(IPv6Address("::ffff:192.0.2.10"))),
        ("SSM.Example.COM", DnsHost("ssm.example.com")),
        ("ssm.example.com.", DnsHost("ssm.example.com")),
        ("ssm", DnsHost("ssm")),
        ("ssm_vip.example", DnsHost("ssm_vip.example")),
        ("bücher.example", DnsHost("xn--bcher-kva.example")),
        ("BU\u0308CHER.example", DnsHost("xn--bcher-kva.example")),
        ("faß.example", DnsHost("xn--fa-hia.example")),
        ("1and1.example", DnsHost("1and1.example")),
        ("a" * 63 + ".example", DnsHost("a" * 63 + ".example")),
    ],
)
def test_a_host_is_read_as_what_it_is(text: str, host: Host) -> None:
    """Addresses, DNS names and U-labels come out in their one canonical form."""
    assert parse_host(text) == host


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (".", "empty"),
        ("127.1", "number"),
        ("0x7f.1", "number"),
        ("2130706433", "number"),
        ("0x7f000001", "number"),
        ("0X7F000001", "number"),
        ("ssm.0xzz", "number"),
        ("192.0.2.010", "number"),
        ("192.0.2.256", "number"),
        ("192.0.2.10.", "trailing dot"),
        ("::1.", "trailing dot"),
        ("[192.0.2.10]", "IPv6"),
        ("fe80::1%eth0", "zone"),
        ("[fe80::1%25eth0]", "zone"),
        ("2001:db8:::1", "IPv6"),
        ("::1/64", "IPv6"),
        ("a..b", "empty label"),
        (".a", "empty label"),
        ("a..", "empty label"),
        ("a" * 64 + ".example", "63"),
        (".".join(["a" * 49] * 6), "253"),
        ("a\0.example", "NUL"),
        ("a b.example", "blank"),
        (" ssm.example", "blank"),
        ("ssm.example\u00a0", "blank"),
        ("ssm\u200b.example", "control"),
        ("ssm\n.example", "control"),
        ("ssm\u3000.example", "blank"),
        ("ssm\udc80.example", "control"),
        ("-ssm.example", "letters"),
        ("ssm-.example", "letters"),
        ("*.example.com", "wildcard"),
        ("ssm@example.com", "letters"),
        ("１２７.０.０.１", "IDNA"),
        ("ssm。example", "IDNA"),
        ("☃.example", "IDNA"),
        ("\u212aelvin.example", "taken for 'kelvin'"),
        ("\u0130stanbul.example", "IDNA"),
        ("ü" * 64 + ".example", "63"),
        ("ü." * 600 + "example", "253"),
        ("a" * 10_000_000, "253"),
    ],
)
def test_what_is_no_host_is_refused_with_its_reason(text: str, reason: str) -> None:
    """Every form that a resolver or another client might take for something else is refused."""
    with pytest.raises(CallerError) as caught:
        parse_host(text)
    assert caught.value.code == "bad-host"
    assert reason in caught.value.sentence


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_host_or_bad_host(text: str) -> None:
    """No input makes the parser fail in another way, and its output parses to itself."""
    try:
        host = parse_host(text)
    except CallerError as error:
        assert error.code == "bad-host"
    else:
        assert parse_host(host.text) == host
        assert parse_host(host.url_text) == host


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_numbers_are_never_addresses(number: int) -> None:
    """The spellings of an IPv4 address that inet_aton knows besides dotted decimal are refused."""
    high, low = divmod(number, 2**24)
    for text in (str(number), hex(number), f"{high}.{low}", f"0{high:o}.{low}", f"{high:#x}.0.0.1"):
        with pytest.raises(CallerError):
            parse_host(text)


@settings(deadline=None)
@given(HOSTS)
def test_a_host_matches_the_common_name_that_is_spelled_the_same(text: str) -> None:
    """Setting the Host Common Name to the destination's host makes them match, for every kind of host."""
    assert match(parse_host(text), cn(text)) == Match("CN", text)


@settings(deadline=None)
@given(DNS_NAMES)
def test_case_and_one_trailing_dot_of_the_host_do_not_matter(name: str) -> None:
    """DNS names are equal whatever their case, and the host may be written with the root's dot."""
    mixed = "".join(c.upper() if i % 2 else c for i, c in enumerate(name))
    assert isinstance(match(parse_host(mixed + "."), cn(name)), Match)
    assert isinstance(match(parse_host(name), cn(mixed)), Match)


@settings(deadline=None)
@given(DNS_NAMES)
def test_a_trailing_dot_in_the_certificate_never_matches(name: str) -> None:
    """The certificate's name is taken as it stands, and a dot at its end makes it none."""
    (found,) = mismatches(name + ".", cn(name + "."))
    assert isinstance(found, NameIsInvalid)
    assert "empty label" in found.sentence


@settings(deadline=None)
@given(st.ip_addresses(v=6))
def test_ipv6_addresses_are_equal_in_every_spelling(address: IPv6Address) -> None:
    """Compressed, exploded, upper case and in brackets: the same address."""
    for spelling in (address.compressed, address.exploded, address.exploded.upper(), f"[{address}]"):
        assert isinstance(match(IPv6Host(address), cn(spelling)), Match)


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_an_ipv4_mapped_address_is_not_its_ipv4_address(address: IPv4Address) -> None:
    """Neither as host nor as Common Name does ::ffff:a.b.c.d stand for a.b.c.d."""
    mapped = f"::ffff:{address}"
    assert isinstance(mismatches(str(address), cn(mapped))[0], NameDiffers)
    assert isinstance(mismatches(mapped, cn(str(address)))[0], NameDiffers)
    san = CertificateNames((), ip=(IPv6Address(mapped),))
    assert not isinstance(match(IPv4Host(address), san, Policy.EITHER), Match)


@settings(deadline=None)
@given(HOSTS, HOSTS)
def test_different_hosts_never_match(one: str, other: str) -> None:
    """A Common Name that is another host differs, and the sentence tells both."""
    assume(parse_host(one) != parse_host(other))
    (found,) = mismatches(one, cn(other))
    assert found == NameDiffers("CN", other, parse_host(one))
    assert parse_host(one).text in found.sentence
    assert other in found.sentence


@settings(deadline=None)
@given(HOSTS, st.lists(HOSTS, min_size=1, max_size=3), st.integers(0, 3))
def test_two_or_more_common_names_never_match(host: str, others: list[str], at: int) -> None:
    """Wherever the right one stands, and even where all of them are right."""
    for names in ([*others[:at], host, *others[at:]], [host, host]):
        found = mismatches(host, cn(*names))
        assert found[0] == SeveralCommonNames(tuple(names))


@settings(deadline=None)
@given(HOSTS, st.text())
def test_no_text_matches_unless_it_is_the_host(host: str, common_name: str) -> None:
    """Whatever the certificate says, a match means that its name alone reads as the same host."""
    if isinstance(match(parse_host(host), cn(common_name)), Match):
        assert parse_host(common_name) == parse_host(host)
        assert not common_name.endswith(".")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ssm.example.com\0.evil.example", "NUL"),
        ("ssm.example.com ", "blank"),
        (" ssm.example.com", "blank"),
        ("ssm.example.com\x7f", "control"),
        ("", "empty"),
        ("*.example.com", "wildcard"),
        ("https://ssm.example.com", "IPv6"),
        ("Cisco SSM", "blank"),
        ("x." * 130 + "com", "253"),
    ],
)
def test_a_common_name_that_is_no_name_says_why(name: str, reason: str) -> None:
    """The finding holds the text as it stands and the reason, and control characters are escaped."""
    (found,) = mismatches("ssm.example.com", cn(name))
    assert isinstance(found, NameIsInvalid)
    assert reason in found.sentence
    assert found.sentence.isprintable()


def test_a_name_that_could_not_be_read_is_a_mismatch() -> None:
    """Bytes that are no string of their type are passed on with the reader's reason."""
    broken = InvalidName("ssm.example.com", "its bytes are no valid string")
    assert mismatches("ssm.example.com", cn(broken)) == (NameIsInvalid("CN", broken),)


def test_without_a_common_name_there_is_no_match() -> None:
    """No Common Name is a finding, and no name at all another."""
    alone = CertificateNames((), dns=("ssm.example.com",))
    assert mismatches("ssm.example.com", alone) == (NoCommonName(unnamed=False),)
    assert mismatches("ssm.example.com", cn()) == (NoCommonName(unnamed=True),)
    assert mismatches("ssm.example.com", cn())[0].sentence != mismatches("ssm.example.com", alone)[0].sentence


@pytest.mark.parametrize(
    ("host", "name", "matches"),
    [
        ("ssm.example.com", "ssm.example.com", True),
        ("ssm.example.com", "*.example.com", True),
        ("xn--bcher-kva.example.com", "*.example.com", True),
        ("a.b.example.com", "*.example.com", False),
        ("example.com", "*.example.com", False),
        ("example.com", "*.com", False),
        ("example.com", "*", False),
        ("ssm.example.com", "s*.example.com", False),
        ("ssm.example.com", "*.*.com", False),
        ("ssm.example.com", "ssm.*.com", False),
        ("ssm.example.com", "ssm.example.com.", False),
        ("xn--bcher-kva.example.com", "xn--*.example.com", False),
        ("bücher.example.com", "bücher.example.com", False),
        ("192.0.2.10", "192.0.2.10", False),
        ("192.0.2.10", "*.0.2.10", False),
    ],
)
def test_alternative_names_follow_rfc_9525(host: str, name: str, matches: bool) -> None:
    """A wildcard is a whole left-most label before two more; an address never matches a dNSName."""
    names = CertificateNames(("other.example",), dns=(name,))
    policy = Policy.SUBJECT_ALTERNATIVE_NAME
    assert isinstance(match(parse_host(host), names, policy), Match) is matches
    assert isinstance(match(parse_host(host), names, Policy.EITHER), Match) is matches
    assert not isinstance(match(parse_host(host), names), Match)


def test_policies_look_at_their_own_names_only() -> None:
    """`common-name` ignores the SAN, `subject-alternative-name` the CN, and `either` tells all mismatches."""
    names = CertificateNames(("a.example",), dns=("b.example",), ip=(IPv4Address("192.0.2.1"),))
    assert match(parse_host("a.example"), names) == Match("CN", "a.example")
    assert len(mismatches("a.example", names, Policy.SUBJECT_ALTERNATIVE_NAME)) == 2
    assert match(parse_host("192.0.2.1"), names, Policy.EITHER) == Match("iPAddress", "192.0.2.1")
    assert len(mismatches("c.example", names, Policy.EITHER)) == 3
    bare = cn("a.example")
    assert mismatches("b.example", bare, Policy.SUBJECT_ALTERNATIVE_NAME) == (NoAlternativeName(),)


def test_a_certificate_tells_where_a_wildcard_stands() -> None:
    """Right or wrong, in the Common Name or in the SAN: the preflight check says so."""
    names = CertificateNames(
        ("*.example.com", "a"), dns=("b.example", "s*.example.com", InvalidName("*", "x"))
    )
    assert names.wildcards == ("*.example.com", "s*.example.com", "*")


def test_a_name_of_one_label_is_not_qualified() -> None:
    """It means another machine in each search list."""
    assert not DnsHost("ssm").is_qualified
    assert DnsHost("ssm.example").is_qualified


def test_what_is_long_is_told_in_a_line() -> None:
    """A name of a megabyte and thousands of names are shown by their beginning and their number."""
    (invalid,) = mismatches("a.example", cn("b" * 2**20))
    assert "(1048576 characters)" in invalid.sentence
    assert len(invalid.sentence) < 300
    found = mismatches("a.example", cn(*["b.example"] * 5000))
    assert len(found) == 5001
    assert "5000 Common Names" in found[0].sentence
    assert max(len(mismatch.sentence) for mismatch in found) < 300
    said = sentences(found)
    assert said.endswith("(and 4991 more)")
    assert len(said) < 1500


def test_a_dual_stack_is_told_with_its_addresses() -> None:
    """The sentence names the address, those of both families, and what is needed instead."""
    addresses: list[IPv4Address | IPv6Address] = [
        IPv6Address("2001:db8::a"),
        IPv4Address("192.0.2.10"),
        IPv4Address("192.0.2.10"),
    ]
    found = address_on_dual_stack(IPv4Host(IPv4Address("192.0.2.10")), addresses)
    assert found is not None
    assert (found.ipv4, found.ipv6) == ((IPv4Address("192.0.2.10"),), (IPv6Address("2001:db8::a"),))
    assert "192.0.2.10, 2001:db8::a" in found.sentence
    assert "fully qualified name" in found.sentence
    mapped = [IPv6Address("::ffff:192.0.2.10")]
    assert address_on_dual_stack(IPv4Host(IPv4Address("192.0.2.10")), mapped) is None


def test_seen_names_are_told_with_their_kind() -> None:
    """What an error shows of a certificate names the field of each name, in order and printable."""
    names = CertificateNames(("a\n", InvalidName("b", "x")), dns=("c",), ip=(IPv6Address("::1"),))
    assert names.seen == ["CN='a\\n'", "CN='b'", "dNSName='c'", "iPAddress='::1'"]
