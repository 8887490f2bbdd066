"""Properties of the match that hold for every host and every certificate."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address

from hypothesis import example, given, settings
from hypothesis import strategies as st

from smartlic_client.errors import CallerError
from smartlic_client.names import CertificateNames, Match, Policy, judge, match, parse_host
from tests.conformance.strategies import ADDRESSES, CERTIFICATES, DNS_NAMES, HOSTS, PATTERNS

POLICIES = st.sampled_from(list(Policy))


def holds(host: str, names: CertificateNames, policy: Policy) -> bool:
    return isinstance(match(parse_host(host), names, policy), Match)


def swapped(names: CertificateNames) -> CertificateNames:
    """The same names in the other case, where they have ASCII letters only."""
    common_names, dns = (
        tuple(name.swapcase() if isinstance(name, str) and name.isascii() else name for name in kind)
        for kind in (names.common_names, names.dns)
    )
    return replace(names, common_names=common_names, dns=dns)


@settings(max_examples=400, deadline=None)
@given(HOSTS, CERTIFICATES, POLICIES)
def test_the_verdict_stays_when_the_case_changes(host: str, names: CertificateNames, policy: Policy) -> None:
    """Of the host, of the certificate, and of both."""
    verdict = holds(host, names, policy)
    assert holds(host.swapcase(), names, policy) == verdict
    assert holds(host, swapped(names), policy) == verdict


@settings(max_examples=200, deadline=None)
@given(st.ip_addresses(v=6), st.ip_addresses(v=6), POLICIES)
def test_the_verdict_stays_when_an_ipv6_address_is_spelled_anew(
    address: IPv6Address, other: IPv6Address, policy: Policy
) -> None:
    """Compressed, exploded, in capitals and in brackets, on either side."""
    for named in (address, other):
        for spelling in (named.exploded, named.exploded.upper(), f"[{named}]"):
            names = CertificateNames((spelling,), (), (named,))
            for host in (address.compressed, address.exploded.upper(), f"[{address}]"):
                assert holds(host, names, policy) == (address == named)


@settings(max_examples=200, deadline=None)
@given(HOSTS, st.text(max_size=5), st.sampled_from(["{0}\0{1}", "{1}\0{0}", "{0}\0", "\0{0}"]), POLICIES)
def test_no_host_matches_a_name_with_nul(host: str, other: str, form: str, policy: Policy) -> None:
    """Wherever it stands in the name."""
    name = form.format(host, other)
    assert not holds(host, CertificateNames((name,), (name,)), policy)


@settings(max_examples=200, deadline=None)
@given(ADDRESSES, st.one_of(DNS_NAMES, PATTERNS, ADDRESSES), POLICIES)
@example("192.0.2.1", "*.0.2.1", Policy.EITHER)
def test_an_address_never_matches_a_dns_name(address: str, name: str, policy: Policy) -> None:
    """Not one that is written the same either."""
    names = CertificateNames(() if policy is Policy.EITHER else (name,), (name,))
    assert not holds(address, names, Policy.SUBJECT_ALTERNATIVE_NAME)
    assert not holds(address, CertificateNames((), (name,)), policy)


@settings(max_examples=200, deadline=None)
@given(HOSTS, st.lists(HOSTS, min_size=1, max_size=3), CERTIFICATES)
def test_several_common_names_never_match(host: str, others: list[str], names: CertificateNames) -> None:
    """Whichever they are and in whichever order."""
    for several in ((host, *others), (*others, host), (host, host)):
        assert not holds(host, replace(names, common_names=several), Policy.COMMON_NAME)


@settings(max_examples=400, deadline=None)
@given(HOSTS, CERTIFICATES)
def test_either_is_one_or_the_other_and_both_is_both(host: str, names: CertificateNames) -> None:
    """And what is judged side by side is what each policy says alone, with every name accounted for."""
    by_name, by_alternative = (
        holds(host, names, policy) for policy in (Policy.COMMON_NAME, Policy.SUBJECT_ALTERNATIVE_NAME)
    )
    assert holds(host, names, Policy.EITHER) == (by_name or by_alternative)
    assert holds(host, names, Policy.BOTH) == (by_name and by_alternative)
    judgement = judge(parse_host(host), names)
    for verdict in judgement:
        said = match(judgement.host, names, verdict.policy)
        assert judgement[verdict.policy] is verdict
        assert said in verdict.matches if verdict.holds else said == verdict.mismatches
    found = judgement.subject_alternative_name
    assert len(found.matches) + len(found.mismatches) == max(1, len(names.dns) + len(names.ip))


@settings(max_examples=200, deadline=None)
@given(HOSTS, CERTIFICATES, POLICIES)
def test_more_alternative_names_never_take_a_match_away(
    host: str, names: CertificateNames, policy: Policy
) -> None:
    """What is accepted stays accepted when the certificate gets further names, and their order is nothing."""
    if holds(host, names, policy):
        assert holds(host, replace(names, dns=(*names.dns, "x.test", "\0")), policy)
        assert holds(host, replace(names, dns=names.dns[::-1], ip=names.ip[::-1]), policy)


@settings(max_examples=300, deadline=None)
@given(st.one_of(HOSTS, st.text(max_size=12)), CERTIFICATES)
def test_a_match_under_common_name_is_the_same_name(host: str, names: CertificateNames) -> None:
    """The one Common Name, read as a host is, gives the same host: no pattern, no conversion in between."""
    try:
        read = parse_host(host)
    except CallerError:
        return
    if holds(host, names, Policy.COMMON_NAME):
        (name,) = names.common_names
        assert isinstance(name, str)
        assert parse_host(name) == read
