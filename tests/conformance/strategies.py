"""Hosts and certificates for properties: near to each other, so that most pairs nearly match."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import strategies as st

from smartlic_client.names import CertificateNames

__all__ = ["ADDRESSES", "CERTIFICATES", "DNS_NAMES", "HOSTS", "PATTERNS"]

_LABELS = st.sampled_from(["a", "b", "www", "a-1", "xn--bcher-kva", "WWW", "x2"])
_TOPS = st.sampled_from(["com", "b", "Example", "xn--p1ai"])
ADDRESSES = st.sampled_from(
    ["192.0.2.1", "192.0.2.2", "::ffff:192.0.2.1", "2001:db8::1", "2001:DB8:0::1", "fe80::1"]
)

DNS_NAMES = st.builds(lambda labels, top: ".".join([*labels, top]), st.lists(_LABELS, max_size=3), _TOPS)
HOSTS = st.one_of(DNS_NAMES, ADDRESSES)


@st.composite
def _patterns(draw: st.DrawFn) -> str:
    """A name, or one with a wildcard somewhere."""
    labels = draw(DNS_NAMES).split(".")
    kind = draw(st.sampled_from(["name", "name", "left", "left", "part", "elsewhere", "alone", "more"]))
    if kind == "left":
        labels[0] = "*"
    elif kind == "part":
        labels[0] = draw(st.sampled_from(["*" + labels[0], labels[0] + "*", "w*w", "xn--*"]))
    elif kind == "elsewhere":
        labels[draw(st.integers(0, len(labels) - 1))] = "*"
    elif kind == "alone":
        labels = ["*"]
    elif kind == "more":
        labels.insert(0, "*")
    return ".".join(labels)


PATTERNS = _patterns()

_ODD = st.sampled_from(["", "*", "a\0.b", "a b.com", "a.b.", "192.0.2.1", "0x7f.1", "bücher.com", "a..b"])
_TEXTS = st.one_of(HOSTS, HOSTS, PATTERNS, _ODD, st.text(max_size=8))

CERTIFICATES = st.builds(
    lambda common_names, dns, ip: CertificateNames(
        tuple(common_names), tuple(dns), tuple(map(ip_address, ip))
    ),
    st.lists(_TEXTS, max_size=2),
    st.lists(_TEXTS, max_size=3),
    st.lists(ADDRESSES, max_size=2),
)
