"""The certificate without its names: chain, dates, strength of keys and signatures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from smartlic_client.certificates import Certificate, FlawKind
from smartlic_client.names import judge
from smartlic_client.preflight.catalogue import CATALOGUE, Finding, Severity, entry
from smartlic_client.preflight.observation import Endpoint, Observation, Role
from smartlic_client.preflight.options import DAY, Options

__all__ = ["find"]

_ERROR, _WARNING, _INFORMATION = Severity.ERROR, Severity.WARNING, Severity.INFORMATION
_CHECKED = "Names, When it is checked"
_RFC = "RFC 5280, section 6"
_RENEW = (
    "Renew the certificate: on the server, synchronize the local accounts with Cisco Smart Software Manager"
)

unreadable = entry(
    "certificate-unreadable",
    "chain",
    _ERROR,
    "The certificate cannot be read",
    seen="The certificate of {where} cannot be read: {reason}.",
    expected="an X.509 certificate in DER",
    mend="Have the certificate made anew: on the server, set Host Common Name again under Security > "
    "Certificates, then synchronize the local accounts with Cisco Smart Software Manager.",
    reference="RFC 5280, section 4",
)
malformed = entry(
    "certificate-malformed",
    "chain",
    _WARNING,
    "The certificate is not written as it should be",
    seen="{which} has flaws ({reason}).",
    expected="a certificate by RFC 5280",
    mend="Have the certificate made anew: strict clients refuse this one.",
    reference="RFC 5280, section 4",
)
not_checked = entry(
    "trust-not-checked",
    "chain",
    _WARNING,
    "The chain was not checked",
    seen="No trust anchor was given. The chain ends with {top} ({fingerprint}), issued by {issuer}. The "
    "path was not asked for.",
    expected="the root certificate that the products trust",
    mend="Give the products' trust anchor: --ca FILE (offered by the server under "
    "https://VIP:8443/trust-anchor.pem), or --fingerprint sha256:… if the server presents its root.",
    reference=_CHECKED,
)
untrusted = entry(
    "chain-untrusted",
    "chain",
    _ERROR,
    "The chain does not lead to the trust anchor",
    seen="{reason}. The certificate was issued by {issuer}.",
    expected="a chain to the trust anchor: {anchors}",
    mend="Give the root certificate of this cluster as the trust anchor, on the products too. If "
    "it was given, "
    "somebody else answers at {where}, such as a proxy that opens TLS: find out who before you go on.",
    reference=f"{_CHECKED}; {_RFC}",
)
incomplete = entry(
    "chain-incomplete",
    "chain",
    _ERROR,
    "An intermediate certificate is missing",
    seen="{where} presents no certificate of {issuer}, which issued {subject}.",
    expected="all certificates between the server's own and the trust anchor",
    mend="Let the server present its whole chain: on the server, synchronize the local accounts "
    "with Cisco Smart "
    "Software Manager; if the certificate was uploaded, upload it together with its intermediates. If "
    "{issuer} is no issuer of this cluster, somebody else answers at {where}, such as a proxy that "
    "opens TLS.",
    reference=f"{_CHECKED}; RFC 8446, section 4.4.2",
)
expired = entry(
    "certificate-expired",
    "chain",
    _ERROR,
    "A certificate has expired",
    seen="{which} was valid until {until}; it is {now} by this machine's clock.",
    expected="a certificate that is valid now",
    mend="Check this machine's clock (NTP). If it is right: " + _RENEW + ".",
    reference=_RFC,
)
expires_soon = entry(
    "certificate-expires-soon",
    "chain",
    _WARNING,
    "A certificate expires soon",
    seen="{which} is valid until {until}: {days} days more.",
    expected="at least {wanted} days more (--expires-within)",
    mend=_RENEW + ".",
    reference=_RFC,
)
not_yet = entry(
    "certificate-not-yet-valid",
    "chain",
    _ERROR,
    "A certificate is not valid yet",
    seen="{which} is valid from {since}; it is {now} by this machine's clock.",
    expected="a certificate that is valid now",
    mend="Check the clock of this machine and of the products (NTP), then that of the server.",
    reference=_RFC,
)
not_for_servers = entry(
    "certificate-not-for-servers",
    "chain",
    _ERROR,
    "The certificate is not one for a server",
    seen="Its extended key usage does not allow server authentication.",
    expected="serverAuth in the extended key usage, or no such extension",
    mend="Check that {where} is the VIP of the cluster: what answers shows a certificate that was "
    "made for another "
    "use, such as a device's ID certificate.",
    reference="RFC 5280, section 4.2.1.12",
)
key_weak = entry(
    "key-weak",
    "chain",
    _ERROR,
    "A key is too weak",
    seen="The key of {which} is {key}.",
    expected="RSA from 2048 bits, or an elliptic curve from 256",
    mend="Have the certificate made anew with a stronger key: clients refuse this one.",
    reference="NIST SP 800-131A; OpenSSL, security level 2",
)
signature_weak = entry(
    "signature-weak",
    "chain",
    _ERROR,
    "A signature is too weak",
    seen="{which} is signed with {signature}.",
    expected="SHA-256 or stronger",
    mend="Have the certificate issued anew with SHA-256: clients refuse this one.",
    reference="RFC 9155; OpenSSL, security level 2",
)
too_long = entry(
    "chain-too-long",
    "chain",
    _WARNING,
    "The server presents far too many certificates",
    seen="{where} presents {count} certificates.",
    expected="the server's own and its intermediates, two to four",
    mend="Let the server present only its chain: some clients give up at about ten certificates.",
    reference="RFC 8446, section 4.4.2",
)
anchor_expired = entry(
    "anchor-expired",
    "chain",
    _ERROR,
    "The trust anchor has expired",
    seen="The trust anchor {subject} was valid until {until}.",
    expected="a trust anchor that is valid now",
    mend="Give the products the cluster's present root certificate.",
    reference=_RFC,
)
connection_failed = entry(
    "checked-connection-failed",
    "chain",
    _ERROR,
    "A client that keeps to the rules cannot connect",
    seen="The certificate could be read, and the checked connection failed: {reason}.",
    expected="TLS 1.2 or later with current ciphers, keys and signatures",
    mend="Look at the other findings for this target; if there is none, try again, and look into "
    "the log of the "
    "server.",
    reference=_CHECKED,
)
entry(
    "fingerprint-not-presented",
    "chain",
    _ERROR,
    "No certificate of the chain has the fingerprint",
    seen="The server presents: {reason}.",
    expected="the root with the fingerprint that was given",
    mend="Download the trust anchor (https://VIP:8443/trust-anchor.pem), compare its fingerprint, "
    "and give it "
    "with --ca. Servers often present no root. If the fingerprint should be there, somebody else answers.",
    reference=_CHECKED,
)
entry(
    "fingerprint-is-no-root",
    "chain",
    _ERROR,
    "The fingerprint is that of no root",
    seen="The certificate with this fingerprint is {reason}, which no client takes as an anchor.",
    expected="the fingerprint of the root certificate",
    mend="Give the fingerprint of the root, or the root itself with --ca FILE.",
    reference=_CHECKED,
)

# X509_V_ERR_* of OpenSSL's x509_vfy.h
_TOLD_BETTER = {9, 10, 26, 66, 67, 68}  # dates, purpose, strength
_NO_ISSUER = {2, 20, 21}
_LONG = 10
_WEAK = {"md2", "md4", "md5", "sha1"}
_LEAST_BITS = {"RSA": 2048, "RSA-PSS": 2048, "DSA": 2048, "EC": 256}
_MOST_FLAWS = 5
_TOLD_ELSEWHERE = {FlawKind.UNREADABLE, FlawKind.BAD_NAME}


def find(seen: Observation, options: Options) -> Iterator[Finding]:
    label = seen.target.label
    if seen.anchor_flaw is not None:
        yield CATALOGUE[seen.anchor_flaw.id](label, reason=seen.anchor_flaw.reason)
    for anchor in seen.anchors:
        if anchor.not_after is not None and anchor.not_after.timestamp() < options.now:
            yield anchor_expired(label, subject=anchor.subject, until=_date(anchor.not_after))
    told: set[str] = set()
    explained = False
    for endpoint in seen.endpoints:
        if endpoint.leaf is not None and endpoint.leaf.fingerprint not in told:
            told.add(endpoint.leaf.fingerprint)
            for finding in _certificates(label, endpoint, options):
                explained = explained or finding.severity is Severity.ERROR
                yield finding
    if (answered := seen.answered) is not None:
        yield from _trust(seen, answered, options, explained=explained)


def _certificates(label: str, endpoint: Endpoint, options: Options) -> Iterator[Finding]:
    where = endpoint.where
    if len(endpoint.chain) > _LONG:
        yield too_long(label, at=where, where=where, count=len(endpoint.chain))
    for place, each in enumerate(endpoint.chain[:_LONG]):
        if not each.is_readable:
            why = each.flaws[0].detail
            yield unreadable(label, at=f"{where}, number {place + 1}", where=where, reason=why)
            continue
        at = where if place == 0 else f"{where}, {each.subject}"
        which = "The certificate" if place == 0 else f"The issuer's certificate {each.subject}"
        yield from _dates(label, at, which, each, options)
        yield from _strength(label, at, which, each)
        yield from _flaws(label, at, which, each)
    if endpoint.chain[0].is_readable and not endpoint.chain[0].may_serve:
        yield not_for_servers(label, at=where, where=where)


def _dates(label: str, at: str, which: str, each: Certificate, options: Options) -> Iterator[Finding]:
    since, until = each.not_before, each.not_after
    if since is not None and since.timestamp() > options.now:
        yield not_yet(label, at=at, which=which, since=_date(since), now=_at(options.now))
    if until is None:
        return
    left = until.timestamp() - options.now
    if left < 0:
        yield expired(label, at=at, which=which, until=_date(until), now=_at(options.now))
    elif left < options.expires_within:
        wanted = f"{options.expires_within / DAY:g}"
        yield expires_soon(
            label, at=at, which=which, until=_date(until), days=int(left // DAY), wanted=wanted
        )


def _strength(label: str, at: str, which: str, each: Certificate) -> Iterator[Finding]:
    key, signature = each.key, each.signature
    if key is not None and key.bits is not None and key.bits < _LEAST_BITS.get(key.kind, 0):
        shown = f"{key.kind} {key.curve or ''} with {key.bits} bits".replace("  ", " ")
        yield key_weak(label, at=at, which=which[0].lower() + which[1:], key=shown)
    # A root's own signature is checked by nobody.
    if signature is not None and signature.digest in _WEAK and not each.self_issued:
        yield signature_weak(label, at=at, which=which, signature=signature.name)


def _flaws(label: str, at: str, which: str, each: Certificate) -> Iterator[Finding]:
    told = [flaw for flaw in each.flaws if flaw.kind not in _TOLD_ELSEWHERE]
    if told:
        why = "; ".join(f"{flaw.part}: {flaw.detail}" for flaw in told[:_MOST_FLAWS])
        yield malformed(label, at=at, which=which, reason=why)


def _trust(seen: Observation, endpoint: Endpoint, options: Options, *, explained: bool) -> Iterator[Finding]:
    """How the checked connection ended. `explained`: an error of a certificate was told already."""
    label, trust = seen.target.label, seen.trust
    if trust is None:
        if seen.anchor_flaw is None and not seen.anchors and endpoint.role is Role.TARGET:
            top = endpoint.chain[-1]
            yield not_checked(
                label,
                top=top.subject or "a certificate without a subject",
                fingerprint=top.fingerprint,
                issuer="itself" if top.self_issued else top.issuer or "nobody",
            )
    elif trust.held is None:
        if endpoint.tls not in ("TLSv1", "TLSv1.1", "SSLv3"):
            yield connection_failed(label, at=endpoint.where, reason=trust.message)
    elif not trust.held:
        if not (explained and trust.code in _TOLD_BETTER):
            yield _no_way_to_the_anchor(seen, endpoint, trust.message)
    elif not trust.named and endpoint.role is Role.TARGET and _name_holds(seen, endpoint, options):
        # Another certificate than the one that was read, as in the middle of a failover: no green for that.
        yield connection_failed(label, at=endpoint.where, reason=trust.message)


def _name_holds(seen: Observation, endpoint: Endpoint, options: Options) -> bool:
    host = options.expected_name or seen.target.host
    return host is not None and judge(host, endpoint.chain[0].names)[options.policy].holds


def _no_way_to_the_anchor(seen: Observation, endpoint: Endpoint, message: str) -> Finding:
    label, where, leaf = seen.target.label, endpoint.where, endpoint.chain[0]
    trusted = {anchor.subject for anchor in seen.anchors}
    here = {each.subject for each in endpoint.chain} | trusted
    missing = next((each for each in endpoint.chain if each.issuer not in here), None)
    code = seen.trust.code if seen.trust else 0
    # A root that is not sent is no flaw: only a chain that ends below an intermediate is cut short.
    if missing is leaf and len(endpoint.chain) == 1 and code in _NO_ISSUER:
        return incomplete(label, at=where, where=where, issuer=leaf.issuer, subject=leaf.subject or "it")
    anchors = ", ".join(sorted(trusted)) or "none"
    reason = message[:1].upper() + message[1:] if message else "The chain is broken"
    return untrusted(label, at=where, where=where, reason=reason, issuer=leaf.issuer, anchors=anchors)


def _at(seconds: float) -> str:
    return _date(datetime.fromtimestamp(seconds, UTC))


def _date(at: datetime) -> str:
    return f"{at.year:04}-{at:%m-%d %H:%M} UTC"
