"""OpenSSL judges the same certificates: real handshakes in memory, with its own check of the server's name.

Where the policies coincide, that is among names in the SAN. The certificate's Common Name is another one, and
OpenSSL is told never to look at it.
"""

from __future__ import annotations

import ssl
from functools import cache

from hypothesis import example, given, settings
from hypothesis import strategies as st

from smartlic_client.certificates import read_names
from smartlic_client.names import Match, Policy, match, parse_host
from tests.conformance.strategies import ADDRESSES, HOSTS, PATTERNS
from tests.unit.client.tls_servers import Authority, Certificate

AUTHORITY = Authority()
_MISMATCHES = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH


@cache
def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.hostname_checks_common_name = False
    context.load_verify_locations(cadata=AUTHORITY.pem.decode())
    return context


@cache
def issue(*alternative_names: str) -> Certificate:
    return AUTHORITY.issue("common-name.test", san=alternative_names)


def openssl_accepts(certificate: Certificate, host: str) -> bool:
    """The verdict of OpenSSL's own check at the end of a handshake."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context().wrap_bio(to_client, to_server, server_hostname=host)
    server = certificate.server_context().wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            assert error.verify_code in _MISMATCHES, error
            return False
        else:
            return True
        try:
            server.do_handshake()
        except ssl.SSLWantReadError:
            continue
    raise AssertionError("the handshake does not end")


@settings(max_examples=250, deadline=None)
@given(HOSTS, st.lists(st.one_of(PATTERNS, ADDRESSES), min_size=1, max_size=3))
@example("www.a.com", ["*.a.com"])
@example("xn--bcher-kva.a.com", ["*.a.com"])
@example("a.com", ["*.com"])
@example("192.0.2.1", ["192.0.2.1"])
@example("::ffff:192.0.2.1", ["192.0.2.1"])
@example("2001:db8::1", ["2001:DB8:0::1"])
def test_openssl_says_the_same_of_alternative_names(host: str, names: list[str]) -> None:
    """Names, wildcards in every place, addresses of both families, in real certificates."""
    certificate = issue(*names)
    ours = match(parse_host(host), read_names(certificate.der), Policy.SUBJECT_ALTERNATIVE_NAME)
    assert isinstance(ours, Match) == openssl_accepts(certificate, host)
