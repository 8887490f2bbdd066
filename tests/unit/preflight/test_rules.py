"""The rules, one by one: pure functions from an observation to findings."""

from __future__ import annotations

import pytest

from smartlic_client.certificates import Certificate
from smartlic_client.hosts import parse_host
from smartlic_client.names import Policy
from smartlic_client.preflight.catalogue import CATALOGUE, FAMILIES, Severity, catalogue, entry, reference
from smartlic_client.preflight.observation import Resolution, Role, Trust
from smartlic_client.preflight.rules import findings
from smartlic_client.preflight.rules.clients import CLIENTS
from tests.unit.preflight.builders import (
    DAY,
    NAME,
    NODES,
    VIP,
    dated,
    earlier,
    endpoint,
    file,
    ids,
    leaf,
    options,
    pending,
    seen,
)
from tests.unit.preflight.cases import OF_NODE, OTHER, RIGHT, SAN, all_cases

CASES = all_cases()


@pytest.mark.parametrize("name", CASES)
def test_each_finding_is_made(name: str) -> None:
    """An observation of what a finding is about makes that finding, whole: every template is filled in."""
    observation, chosen = CASES[name]
    found = {each.id: each for each in findings(observation, chosen)}
    assert name in found, list(found)
    finding, kind = found[name], catalogue()[name]
    assert finding.family == kind.family
    assert finding.severity.rank >= kind.severity.rank
    assert finding.target == observation.target.label
    for text in (finding.seen, finding.expected, finding.mend, finding.reference):
        assert text
        assert "{" not in text
    assert finding.mend.endswith((".", ")", "URL", "certificate.pem"))


def test_there_is_a_case_for_each_finding_of_the_catalogue() -> None:
    """No finding is in the catalogue that no test makes."""
    assert set(CASES) == set(catalogue())


def test_what_is_right_has_no_finding() -> None:
    """A certificate with the VIP as CN and SAN, trusted, in time, behind a path that answers: nothing."""
    assert ids(seen(RIGHT)) == {}
    assert ids(seen(leaf(NAME, san=(NAME,)), url=NAME)) == {}


def test_an_id_is_defined_once() -> None:
    """A second definition of an id, or one in no family, is a programming error."""
    words = {"seen": "a", "expected": "b", "mend": "c", "reference": "d"}
    with pytest.raises(ValueError, match="twice"):
        entry("key-weak", "chain", Severity.ERROR, "again", **words)
    with pytest.raises(ValueError, match="family"):
        entry("new-one", "no-family", Severity.ERROR, "new", **words)
    assert "new-one" not in CATALOGUE


def test_the_reference_page_names_each_finding() -> None:
    """The page has a section for each finding, under its family."""
    page = reference()
    for each in catalogue().values():
        assert f"### {each.id}\n" in page
    for title in FAMILIES.values():
        assert f"\n## {title} " in page


# --- Nothing that failed is green -----------------------------------------------------------------


@pytest.mark.parametrize("code", [1, 2, 9, 10, 18, 19, 20, 21, 24, 26, 66, 67, 68, 99])
def test_a_chain_that_does_not_hold_is_an_error_whatever_the_reason(code: int) -> None:
    """Also where OpenSSL refuses a date or a key that looks right from here: never green by omission."""
    refused = seen(RIGHT, trust=Trust(held=False, code=code, message="so it says"), service=None)
    assert "error" in ids(refused).values()


def test_a_flaw_that_explains_the_refusal_is_told_alone() -> None:
    """An expired certificate is expired, and not untrusted beside that."""
    refused = Trust(held=False, code=10, message="certificate has expired")
    assert list(ids(seen(dated(-2 * DAY, -DAY), trust=refused, service=None))) == ["certificate-expired"]


def test_another_certificate_on_the_second_connection_is_no_green() -> None:
    """The name held when the chain was read and not when it was checked, as in the middle of a failover."""
    second = Trust(held=True, named=False, message="The CN is another")
    assert ids(seen(RIGHT, trust=second, service=None)) == {"checked-connection-failed": "error"}


# --- The Common Name: one finding, the one that says most -----------------------------------------


def test_the_cause_of_a_wrong_common_name_is_told_apart() -> None:
    """Not synchronized goes before the node's address, and that before a name in the SAN only."""
    node_with_san = leaf("192.0.2.11", san=(VIP,))
    known = options(nodes=NODES, server=pending(VIP, "192.0.2.11"))
    assert list(ids(seen(node_with_san), known)) == ["common-name-not-synchronized"]
    assert list(ids(seen(node_with_san), options(nodes=NODES))) == ["common-name-is-node"]
    assert list(ids(seen(node_with_san))) == ["common-name-wrong-alternative-right"]
    assert list(ids(seen(OF_NODE))) == ["common-name-differs"]


def test_another_name_that_is_set_is_no_missing_synchronization() -> None:
    """Where Host Common Name is set to yet another name, a synchronization would not help."""
    known = options(server=pending("198.51.100.1", "192.0.2.11"))
    assert list(ids(seen(OF_NODE), known)) == ["common-name-differs"]


def test_a_name_and_an_address_are_never_equal_and_the_finding_says_so() -> None:
    """A URL with the FQDN, a certificate with the VIP to which it resolves: the usual surprise is named."""
    found = findings(seen(RIGHT, url=NAME, resolution=Resolution(addresses=(VIP,))), options())
    assert "never equal" in found[0].seen
    assert f"resolves to {VIP}" in found[0].seen


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy.COMMON_NAME, {"common-name-wrong-alternative-right": "error"}),
        (SAN, {"common-name-wrong-alternative-right": "warning"}),
        (Policy.EITHER, {"common-name-wrong-alternative-right": "warning"}),
        (Policy.BOTH, {"common-name-wrong-alternative-right": "error"}),
    ],
)
def test_the_policy_decides_what_is_an_error_where_only_the_san_is_right(
    policy: Policy, expected: dict[str, str]
) -> None:
    """What the policy accepts is at most a warning: other products may still refuse it."""
    assert ids(seen(leaf("other.example.com", san=(VIP,))), options(policy=policy)) == expected


@pytest.mark.parametrize(
    ("policy", "severity"),
    [(Policy.COMMON_NAME, "warning"), (SAN, "error"), (Policy.EITHER, "warning"), (Policy.BOTH, "error")],
)
def test_the_policy_decides_what_is_an_error_where_only_the_cn_is_right(
    policy: Policy, severity: str
) -> None:
    """A wrong SAN is an error under the policies that look at it, and a warning under the others."""
    found = ids(seen(leaf(VIP, san=("192.0.2.9",))), options(policy=policy))
    assert found["alternative-name-differs"] == severity


@pytest.mark.parametrize("policy", list(Policy))
def test_where_no_name_is_right_every_policy_says_error(policy: Policy) -> None:
    """CN and SAN of another host: an error whatever counts."""
    assert "error" in ids(seen(OTHER), options(policy=policy)).values()


def test_the_expected_name_goes_before_the_host_of_the_url() -> None:
    """A node checked by its own address may have to bear the VIP: --expected-name says so."""
    expected = options(expected_name=parse_host(VIP))
    assert ids(seen(RIGHT, url="192.0.2.11"), expected) == {}
    assert ids(seen(OF_NODE, url="192.0.2.11"), expected) == {"common-name-differs": "error"}


def test_a_file_is_held_against_the_expected_name() -> None:
    """A certificate file has the same findings as a server that presents it."""
    expected = options(expected_name=parse_host(VIP))
    assert ids(file(RIGHT), expected) == {}
    assert ids(file(OF_NODE), expected) == {"common-name-differs": "error"}


# --- Stock clients, after the measured table ------------------------------------------------------

_TABLE = [  # certificate, host, and what curl, requests, Java and Python's ssl do
    (leaf(VIP), VIP, "yes no no no"),
    (leaf(NAME), NAME, "yes no yes yes"),
    (leaf(VIP, san=("192.0.2.9",)), VIP, "no no no no"),
    (leaf("other.example.com", san=(NAME,)), NAME, "yes yes yes yes"),
    (leaf("other.example.com", san=(VIP,)), VIP, "yes yes yes yes"),
    (leaf(NAME, san=(VIP,)), NAME, "no no yes yes"),
    (leaf(NAME, "other.example.com"), NAME, "no no no yes"),
    (leaf("other.example.com", NAME), NAME, "yes no yes yes"),
    (leaf("0x7f000001"), "127.0.0.1", "no no no no"),
    (leaf("other.example.com", san=("127.0.0.1.example.com",)), "127.0.0.1", "no no no no"),
]


@pytest.mark.parametrize(("certificate", "host", "expected"), _TABLE)
def test_stock_clients_as_they_were_measured(certificate: Certificate, host: str, expected: str) -> None:
    """The model of each client says what the client did (names, "Measured: what stock clients do")."""
    names = certificate.names
    said = [
        CLIENTS[client](parse_host(host), names) for client in ("curl", "requests", "Java", "Python's ssl")
    ]
    assert said == [word == "yes" for word in expected.split()]


def test_stock_clients_are_named_where_the_policy_is_content() -> None:
    """A CN alone is right by the procedure, and requests, Go and browsers refuse it: a warning names them."""
    (found,) = findings(seen(leaf(VIP)), options())
    assert found.id == "stock-clients-refuse"
    assert found.seen.startswith("requests, Go, browsers, Java, Python's ssl will refuse it")
    assert "(curl will accept it.)" in found.seen


# --- Cluster and failover -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "addresses", "certificate", "dual"),
    [
        (VIP, (VIP,), RIGHT, False),
        (NAME, (VIP, "2001:db8::14"), leaf(NAME, san=(NAME,)), False),
        (NAME, (VIP, "2001:db8::14"), RIGHT, True),
        (VIP, (VIP,), leaf("2001:db8::14", san=("2001:db8::14",)), True),
        (NAME, (VIP, "::ffff:192.0.2.14"), RIGHT, False),
    ],
)
def test_dual_stack_and_an_address_as_common_name(
    url: str, addresses: tuple[str, ...], certificate: Certificate, dual: bool
) -> None:
    """With both families a Host Common Name has to be a name; a mapped address is IPv4."""
    seen_ = seen(certificate, url=url, resolution=Resolution(addresses=addresses))
    assert ("address-with-dual-stack" in ids(seen_)) is dual


def test_dual_stack_is_seen_by_the_nodes_addresses_too() -> None:
    """An IPv4 VIP before nodes that have IPv6 addresses is a cluster with both families."""
    nodes = (endpoint(RIGHT, role=Role.PRIMARY, address="2001:db8::11"),)
    assert ids(seen(RIGHT, nodes=nodes))["address-with-dual-stack"] == "error"


def test_a_renewed_certificate_of_the_right_name_is_no_error() -> None:
    """After the mend the certificate is another one than before: that is information, and green."""
    assert ids(seen(RIGHT), options(earlier=earlier(OF_NODE))) == {"certificate-renewed": "information"}
    assert ids(seen(RIGHT), options(earlier=earlier(RIGHT))) == {}


def test_a_wrong_certificate_that_was_wrong_before_is_no_failovers_doing() -> None:
    """The same names as before and another key: the name is wrong, but no failover changed it."""
    same_name = leaf.__wrapped__("192.0.2.11", san=("192.0.2.11",))
    assert same_name.fingerprint != OF_NODE.fingerprint
    again = ids(seen(same_name), options(earlier=earlier(OF_NODE)))
    assert "certificate-changed-at-failover" not in again


def test_only_what_is_wanted_is_found() -> None:
    """--only and --skip are ids; the gravest finding stands first."""
    wanted = options(wanted=frozenset({"trust-not-checked"}), families=frozenset({"chain"}))
    nothing = seen(OTHER, anchors=(), trust=None, service=None)
    assert ids(nothing, wanted) == {"trust-not-checked": "warning"}
    assert list(ids(nothing)) == ["common-name-differs", "trust-not-checked"]
