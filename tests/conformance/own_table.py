"""Our own table: every sentence of the rules for names, with the cases that show it.

The sentences are those of names, "Which name counts" and "How two names are equal". A case is a host and a
certificate's names with the verdict of each policy; a fact is anything else that the sentence says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from smartlic_client.errors import CallerError
from smartlic_client.names import (
    CONNECTION_POLICIES,
    CertificateNames,
    DnsHost,
    InvalidName,
    NameIsInvalid,
    NoAlternativeName,
    NoCommonName,
    Policy,
    SeveralCommonNames,
    address_on_dual_stack,
    judge,
    match,
    parse_host,
)

__all__ = ["CASES", "FACTS", "SENTENCES", "Case", "Fact"]

SENTENCES = {
    "one-cn": "common-name: the certificate's one CN must equal the host.",
    "no-san": "common-name: SAN entries do not help.",
    "several": "Two or more CNs never match.",
    "san": "subject-alternative-name: RFC 9525; the CN is not looked at.",
    "either": "either: a match in one of them is enough.",
    "both": "both exists for the preflight check only.",
    "all": "The preflight check reports all of them side by side, whatever the policy.",
    "address": "An IP host equals a CN (or an iPAddress SAN) that is the same address.",
    "ipv4": "IPv4 in dotted decimal only (no 0x7f.1, no leading zeros, no 2130706433).",
    "ipv6": "IPv6 compared as addresses, whatever its spelling, brackets removed, zone ids refused.",
    "mapped": "An IPv4-mapped IPv6 address is not its IPv4 address.",
    "ip-no-dns": "An IP never matches a dNSName or a wildcard.",
    "number": "A host whose last label is all digits or begins with 0x is no DNS name and is refused.",
    "case": "A DNS host: compared without regard to case.",
    "a-label": "A DNS host: compared as A-labels (IDNA 2008).",
    "host-dot": "One trailing dot on the host is dropped, any other empty label is refused.",
    "name-dot": "A certificate's name with a trailing dot never matches.",
    "underscore": "An underscore is accepted in a host, with a finding.",
    "cn-wildcard": "Wildcards: none in a CN; a Host Common Name is never a wildcard.",
    "whole-label": "In a SAN only * as the whole left-most label, with at least two labels after it.",
    "one-label": "It stands for exactly one label.",
    "no-fragment": "Not for an IP and not for an A-label fragment.",
    "no-name": "A name with NUL, control characters, blanks, over-long labels, or bytes that are no valid "
    "string of its ASN.1 type is no name: it never matches, and the finding says why.",
    "several-finding": "Several CNs: a finding.",
    "unnamed": "No SAN and no CN: a finding of its own.",
    "dual-stack": "Where the host resolves to both families, or the cluster has addresses of both, an "
    "address as the Host Common Name is an error: it must be an FQDN.",
}


@dataclass(frozen=True)
class Case:
    """`cn` and `san`: the verdicts of these two policies; those of the other two follow."""

    sentence: str
    host: str
    names: CertificateNames
    cn: bool
    san: bool = False


@dataclass(frozen=True)
class Fact:
    sentence: str
    what: str
    holds: Callable[[], bool]


def _names(*common_names: str | InvalidName, san: str = "") -> CertificateNames:
    """`san`: dNSNames and addresses, with commas between them."""
    dns: list[str] = []
    ip: list[IPv4Address | IPv6Address] = []
    for entry in filter(None, san.split(",")):
        # an address in quotes stands in a dNSName
        if entry[0] == "'":
            dns.append(entry.strip("'"))
            continue
        try:
            ip.append(ip_address(entry))
        except ValueError:
            dns.append(entry)
    return CertificateNames(common_names, tuple(dns), tuple(ip))


_LONG_LABEL = "a" * 64
_BAD_BYTES = InvalidName("ssm.example", "its bytes are no valid string of ASN.1 type 0x0c")

CASES = (
    Case("one-cn", "ssm.example", _names("ssm.example"), True),
    Case("one-cn", "ssm.example", _names("ssm2.example"), False),
    Case("one-cn", "ssm.example", _names("example"), False),
    Case("one-cn", "example", _names("ssm.example"), False),
    Case("one-cn", "192.0.2.10", _names("192.0.2.10"), True),
    Case("one-cn", "192.0.2.10", _names("192.0.2.1"), False),
    Case("one-cn", "ssm.example", _names(), False),
    Case("no-san", "ssm.example", _names("other.example", san="ssm.example"), False, True),
    Case("no-san", "192.0.2.10", _names("other.example", san="192.0.2.10"), False, True),
    Case("no-san", "ssm.example", _names(san="ssm.example"), False, True),
    Case("several", "ssm.example", _names("ssm.example", "other.example"), False),
    Case("several", "ssm.example", _names("other.example", "ssm.example"), False),
    Case("several", "ssm.example", _names("ssm.example", "ssm.example"), False),
    Case("several", "ssm.example", _names("ssm.example", ""), False),
    Case("several", "ssm.example", _names("ssm.example", _BAD_BYTES), False),
    Case("several", "ssm.example", _names("a.example", "b.example", san="ssm.example"), False, True),
    Case("san", "ssm.example", _names("ssm.example"), True, False),
    Case("san", "ssm.example", _names("ssm.example", san="other.example"), True, False),
    Case("san", "ssm.example", _names("ssm.example", san="ssm.example"), True, True),
    Case("san", "ssm.example", _names("\0", san="ssm.example"), False, True),
    Case("san", "ssm.example", _names("x", san="a.example,b.example,ssm.example,192.0.2.1"), False, True),
    Case("either", "ssm.example", _names("ssm.example", san="192.0.2.1"), True, False),
    Case("either", "192.0.2.1", _names("ssm.example", san="192.0.2.1"), False, True),
    Case("either", "192.0.2.2", _names("ssm.example", san="192.0.2.1"), False, False),
    Case("address", "192.0.2.10", _names("192.0.2.10", san="192.0.2.10"), True, True),
    Case("address", "2001:db8::a", _names("2001:db8::a", san="2001:db8::a"), True, True),
    Case("address", "192.0.2.10", _names("192.0.2.11", san="192.0.2.11"), False),
    Case("address", "2001:db8::a", _names("192.0.2.10", san="192.0.2.10"), False),
    Case("ipv4", "127.0.0.1", _names("0x7f.1"), False),
    Case("ipv4", "127.0.0.1", _names("127.1"), False),
    Case("ipv4", "127.0.0.1", _names("2130706433"), False),
    Case("ipv4", "127.0.0.1", _names("127.0.0.01"), False),
    Case("ipv4", "127.0.0.1", _names("0177.0.0.1"), False),
    Case("ipv4", "127.0.0.1", _names("0x7f000001"), False),
    Case("ipv4", "127.0.0.1", _names("127.0.0.1 "), False),
    Case("ipv4", "127.0.0.1", _names("127.0.0.1."), False),
    Case("ipv4", "127.0.0.1", _names("[127.0.0.1]"), False),
    Case("ipv4", "127.0.0.1", _names("１２７.0.0.1"), False),
    Case("ipv6", "2001:db8::a", _names("2001:0db8:0000::000A"), True),
    Case("ipv6", "[2001:DB8:0:0:0:0:0:a]", _names("2001:db8::a", san="2001:db8::a"), True, True),
    Case("ipv6", "2001:db8::a", _names("[2001:db8::a]"), True),
    Case("ipv6", "::ffff:192.0.2.1", _names("::ffff:c000:201"), True),
    Case("ipv6", "fe80::1", _names("fe80::1%eth0"), False),
    Case("ipv6", "2001:db8::a", _names("2001:db8::a/64"), False),
    Case("ipv6", "2001:db8::a", _names("2001:db8::a."), False),
    Case("ipv6", "2001:db8::a", _names("[2001:db8::a"), False),
    Case("mapped", "192.0.2.1", _names("::ffff:192.0.2.1", san="::ffff:192.0.2.1"), False),
    Case("mapped", "::ffff:192.0.2.1", _names("192.0.2.1", san="192.0.2.1"), False),
    Case("ip-no-dns", "192.0.2.10", _names("x", san="'192.0.2.10'"), False),
    Case("ip-no-dns", "2001:db8::a", _names("x", san="'2001:db8::a'"), False),
    Case("ip-no-dns", "192.0.2.10", _names("*.0.2.10", san="*.0.2.10"), False),
    Case("ip-no-dns", "192.0.2.10", _names("*", san="*"), False),
    Case("case", "SSM.Example", _names("ssm.eXAMPLE", san="sSm.example"), True, True),
    Case("case", "SSM.Example", _names("x", san="*.example.com"), False),
    Case("case", "XN--BCHER-KVA.example", _names("xn--bcher-kva.EXAMPLE"), True),
    Case(
        "a-label", "bücher.example", _names("xn--bcher-kva.example", san="xn--bcher-kva.example"), True, True
    ),
    Case("a-label", "xn--bcher-kva.example", _names("bücher.example"), True),
    Case("a-label", "BÜCHER.example", _names("bücher.example"), True),
    Case("a-label", "bu\u0308cher.example", _names("b\u00fccher.example"), True),
    Case("a-label", "faß.example", _names("fass.example"), False),
    Case("a-label", "faß.example", _names("xn--fa-hia.example"), True),
    Case("a-label", "kelvin.example", _names("\u212aelvin.example"), False),
    Case("a-label", "ssm.example", _names("ｓｓｍ.example"), False),
    Case("a-label", "ssm.example", _names("ssm。example"), False),
    Case("a-label", "bücher.example", _names("x", san="bücher.example"), False),
    Case("host-dot", "ssm.example.", _names("ssm.example", san="ssm.example"), True, True),
    Case("name-dot", "ssm.example", _names("ssm.example.", san="ssm.example."), False),
    Case("name-dot", "ssm.example.", _names("ssm.example.", san="ssm.example."), False),
    Case("name-dot", "ssm.example.com", _names("x", san="*.example.com."), False),
    Case("underscore", "ssm_vip.example", _names("ssm_vip.example", san="ssm_vip.example"), True, True),
    Case("cn-wildcard", "ssm.example.com", _names("*.example.com"), False),
    Case("cn-wildcard", "ssm.example.com", _names("*"), False),
    Case("cn-wildcard", "ssm.example.com", _names("*.example.com", san="*.example.com"), False, True),
    Case("whole-label", "ssm.example.com", _names("x", san="*.example.com"), False, True),
    Case("whole-label", "ssm.example.com", _names("x", san="s*.example.com"), False),
    Case("whole-label", "ssm.example.com", _names("x", san="*m.example.com"), False),
    Case("whole-label", "ssm.example.com", _names("x", san="s*m.example.com"), False),
    Case("whole-label", "ssm.example.com", _names("x", san="ssm.*.com"), False),
    Case("whole-label", "ssm.example.com", _names("x", san="*.*.com"), False),
    Case("whole-label", "ssm.example.com", _names("x", san="**.example.com"), False),
    Case("whole-label", "example.com", _names("x", san="*.com"), False),
    Case("whole-label", "example", _names("x", san="*"), False),
    Case("whole-label", "example", _names("x", san="*."), False),
    Case("one-label", "a.ssm.example.com", _names("x", san="*.example.com"), False),
    Case("one-label", "example.com", _names("x", san="*.example.com"), False),
    Case("one-label", "xn--bcher-kva.example.com", _names("x", san="*.example.com"), False, True),
    Case("no-fragment", "xn--bcher-kva.example.com", _names("x", san="xn--*.example.com"), False),
    Case("no-fragment", "xn--bcher-kva.example.com", _names("x", san="*-kva.example.com"), False),
    Case("no-fragment", "192.0.2.10", _names("x", san="*.2.10"), False),
    Case("no-fragment", "2001:db8::a", _names("x", san="*:db8::a"), False),
    Case("no-name", "ssm.example", _names("ssm.example\0"), False),
    Case(
        "no-name",
        "ssm.example",
        _names("ssm.example\0.evil.example", san="ssm.example\0.evil.example"),
        False,
    ),
    Case("no-name", "ssm.example", _names("ssm.example\n"), False),
    Case("no-name", "ssm.example", _names("ssm\u200b.example"), False),
    Case("no-name", "ssm.example", _names(" ssm.example", san="ssm.example "), False),
    Case("no-name", "ssm.example", _names("ssm .example"), False),
    Case("no-name", "ssm.example", _names(f"{_LONG_LABEL}.example", san=f"{_LONG_LABEL}.example"), False),
    Case("no-name", "ssm.example", _names(_BAD_BYTES), False),
    Case("no-name", "ssm.example", CertificateNames((), (_BAD_BYTES,)), False),
    Case("no-name", "192.0.2.1", CertificateNames((), (), (InvalidName("c0:00", "2 bytes"),)), False),
)


def _refuses(*texts: str) -> bool:
    """Each of these is `bad-host`."""
    for text in texts:
        try:
            parse_host(text)
        except CallerError as error:
            if error.code == "bad-host":
                continue
        return False
    return True


def _reason(name: str) -> str:
    """Why a Common Name is none."""
    found = match(DnsHost("ssm.example"), CertificateNames((name,)))
    assert isinstance(found, tuple)
    assert isinstance(found[0], NameIsInvalid)
    return found[0].name.reason


def _side_by_side() -> bool:
    names = _names("ssm.example", san="*.example,a.example,192.0.2.1")
    judgement = judge(parse_host("a.example"), names)
    return (
        [verdict.policy for verdict in judgement] == list(Policy)
        and [verdict.holds for verdict in judgement] == [False, True, True, False]
        and [len(verdict.mismatches) for verdict in judgement] == [1, 2, 3, 3]
        and [len(verdict.matches) for verdict in judgement] == [0, 1, 1, 1]
    )


_V4, _OTHER_V4, _V6 = ip_address("192.0.2.10"), ip_address("192.0.2.11"), ip_address("2001:db8::a")

FACTS = (
    Fact("both", "no connection is made under it", lambda: Policy.BOTH not in CONNECTION_POLICIES),
    Fact("all", "every policy, all matches, all mismatches", _side_by_side),
    Fact("ipv6", "a zone id is refused", lambda: _refuses("fe80::1%eth0", "[fe80::1%25eth0]", "fe80::1%")),
    Fact(
        "number",
        "what resolvers read as 127.0.0.1",
        lambda: _refuses("127.1", "0x7f.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1."),
    ),
    Fact(
        "number",
        "a last label of digits or 0x",
        lambda: _refuses("ssm.1", "ssm.0x", "ssm.0Xzz", "1", "a.007"),
    ),
    Fact("number", "digits elsewhere are a name", lambda: parse_host("1.0x2.a1") == DnsHost("1.0x2.a1")),
    Fact(
        "host-dot", "empty labels are refused", lambda: _refuses("", ".", "..", ".a", "a..", "a..b", "a.b..")
    ),
    Fact("underscore", "the preflight check can tell", lambda: DnsHost("a_b.example").has_underscore),
    Fact("underscore", "and only then", lambda: not DnsHost("a-b.example").has_underscore),
    Fact("cn-wildcard", "no host is one either", lambda: _refuses("*", "*.example.com", "ssm.*.com")),
    Fact("no-name", "NUL", lambda: "NUL" in _reason("ssm\0")),
    Fact("no-name", "control characters", lambda: "U+007F" in _reason("ssm\x7f")),
    Fact("no-name", "blanks", lambda: "blank" in _reason("ssm example")),
    Fact("no-name", "labels", lambda: "63" in _reason(_LONG_LABEL)),
    Fact("no-name", "names", lambda: "253" in _reason("a." * 127 + "example")),
    Fact("no-name", "bytes", lambda: "no valid string" in NameIsInvalid("CN", _BAD_BYTES).sentence),
    Fact(
        "several-finding",
        "it names all of them",
        lambda: (
            judge(DnsHost("a"), _names("a", "b")).common_name.mismatches[0] == SeveralCommonNames(("a", "b"))
        ),
    ),
    Fact(
        "unnamed",
        "neither of them",
        lambda: judge(DnsHost("a"), _names()).either.mismatches == (NoCommonName(True), NoAlternativeName()),
    ),
    Fact(
        "unnamed",
        "another one than no Common Name alone",
        lambda: judge(DnsHost("a"), _names(san="b")).common_name.mismatches == (NoCommonName(False),),
    ),
    Fact(
        "unnamed",
        "names of other kinds are none",
        lambda: CertificateNames((), other=("rfc822Name",)).unnamed,
    ),
    Fact(
        "dual-stack",
        "an address and both families",
        lambda: all(address_on_dual_stack(parse_host(str(address)), [_V4, _V6]) for address in (_V4, _V6)),
    ),
    Fact(
        "dual-stack",
        "the address itself counts",
        lambda: address_on_dual_stack(parse_host("192.0.2.10"), [_V6]) is not None,
    ),
    Fact(
        "dual-stack",
        "a name is right",
        lambda: address_on_dual_stack(DnsHost("ssm.example"), [_V4, _V6]) is None,
    ),
    Fact(
        "dual-stack",
        "one family is none",
        lambda: address_on_dual_stack(parse_host("192.0.2.10"), [_V4, _OTHER_V4]) is None,
    ),
)
