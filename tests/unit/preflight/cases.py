"""One observation for each finding; what else is found beside it is the matter of other tests."""

from __future__ import annotations

from typing import Any

import msgspec

from smartlic_client.certificates import read_certificate
from smartlic_client.names import Policy
from smartlic_client.preflight.observation import (
    Flaw,
    Observation,
    Outcome,
    Resolution,
    Role,
    ServerAccount,
    ServerAlert,
    Trust,
)
from smartlic_client.preflight.options import Options
from smartlic_client.preflight.targets import read_target
from tests.unit.preflight.builders import (
    DAY,
    NAME,
    NODES,
    NOW,
    SERVICE,
    VIP,
    dated,
    earlier,
    endpoint,
    file,
    for_clients,
    leaf,
    options,
    pending,
    root,
    seen,
    told,
    weak_key,
    weak_signature,
)

Case = tuple[Observation, Options]

RIGHT = leaf(VIP, san=(VIP,))
OF_NODE = leaf("192.0.2.11", san=("192.0.2.11",))
OTHER = leaf("other.example.com", san=("other.example.com",))
SAN = Policy.SUBJECT_ALTERNATIVE_NAME


def answering(*outcomes: Outcome | None, certificate: Any = RIGHT) -> dict[str, Any]:
    """Both nodes: None answers with the certificate, an outcome fails so."""
    found = [
        endpoint(certificate, role=Role(node.role), address=node.host.text)
        if outcome is None
        else endpoint(role=Role(node.role), address=node.host.text, outcome=outcome)
        for node, outcome in zip(NODES, outcomes, strict=True)
    ]
    return {"nodes": tuple(found)}


def served(**more: Any) -> Case:
    """What answered a POST at the path."""
    return seen(
        RIGHT, service=msgspec.structs.replace(SERVICE, **{"sent": "POST", "allow": "", **more})
    ), options()


def failed(outcome: Outcome) -> Case:
    return seen(endpoints=(endpoint(outcome=outcome),), trust=None, service=None), options()


def untrusted(code: int, message: str, *chain: Any) -> Case:
    trust = Trust(held=False, code=code, message=message)
    return seen(*(chain or (RIGHT,)), trust=trust, service=None), options()


def of_name(*addresses: str, failure: str | None = None, late: bool = False) -> Observation:
    """A target by its name, which resolves to these addresses."""
    resolution = Resolution(addresses=addresses, failure=failure, late=late)
    chain = (leaf(NAME, san=(NAME,)),) if addresses else ()
    return seen(*chain, url=NAME, resolution=resolution)


def flawed(url: str, *chain: Any) -> Case:
    return seen(*chain, url=url), options()


def _destination() -> dict[str, Case]:
    twice = msgspec.structs.replace(read_target(VIP), repeated=("inventory:1", "inventory:2"))
    return {
        "url-malformed": flawed("https://exa mple/"),
        "url-host-malformed": flawed("https://127.1/"),
        "url-port-out-of-range": flawed("https://192.0.2.14:70000/"),
        "url-not-https": flawed("http://192.0.2.14/", RIGHT),
        "url-user-info": flawed("https://admin:secret@192.0.2.14/", RIGHT),
        "url-query-or-fragment": flawed("https://192.0.2.14/?a=b", RIGHT),
        "url-port-unusual": flawed("https://192.0.2.14:8443/", RIGHT),
        "url-path-misspelt": flawed("https://192.0.2.14/smarttransport", RIGHT),
        "url-path-unknown": flawed("https://192.0.2.14/its/service", RIGHT),
        "host-underscore": flawed("ssm_1.example.com", leaf("ssm_1.example.com")),
        "host-unqualified": flawed("ssm", leaf("ssm", san=("ssm",))),
        "host-is-node": (seen(OF_NODE, url="192.0.2.11"), options(nodes=NODES)),
        "inventory-duplicate": (seen(RIGHT, target=twice), options()),
        "name-unresolved": (of_name(failure="no such name"), options()),
        "name-resolution-timeout": (of_name(failure="no answer in time", late=True), options()),
        "name-resolves-to-node": (of_name("192.0.2.11"), options(nodes=NODES)),
        "name-resolves-to-several": (of_name(VIP, "192.0.2.15"), options()),
    }


def _reach() -> dict[str, Case]:
    half = (endpoint(RIGHT), endpoint(address="192.0.2.15", outcome=Outcome.TIMEOUT))
    return {
        "connection-refused": failed(Outcome.REFUSED),
        "connection-timeout": failed(Outcome.TIMEOUT),
        "connection-failed": failed(Outcome.UNREACHABLE),
        "connection-closed": failed(Outcome.CLOSED),
        "tls-no-answer": failed(Outcome.SILENT),
        "tls-absent": failed(Outcome.NO_TLS),
        "http-on-tls-port": failed(Outcome.HTTP),
        "tls-failed": failed(Outcome.TLS_FAILED),
        "proxy-failed": failed(Outcome.PROXY),
        "address-unreachable": (seen(endpoints=half), options()),
        "tls-version-old": (seen(endpoints=(endpoint(RIGHT, tls="TLSv1"),)), options()),
        "proxy-in-environment": (seen(RIGHT), options(proxy_in_environment="HTTPS_PROXY")),
    }


def _chain() -> dict[str, Case]:
    nothing: dict[str, Any] = {"anchors": (), "trust": None, "service": None}
    trailing = read_certificate(RIGHT.der + b"\0")
    return {
        "certificate-unreadable": (seen(read_certificate(b"no certificate")), options()),
        "certificate-malformed": (seen(trailing), options()),
        "trust-not-checked": (seen(RIGHT, **nothing), options()),
        "chain-untrusted": untrusted(19, "self-signed certificate in certificate chain", RIGHT, root()),
        "chain-incomplete": (
            seen(
                RIGHT, anchors=(leaf("another root"),), trust=Trust(held=False, code=20, message="no issuer")
            ),
            options(),
        ),
        "certificate-expired": (seen(dated(-2 * DAY, -DAY)), options()),
        "certificate-expires-soon": (seen(dated(-DAY, 3 * DAY)), options()),
        "certificate-not-yet-valid": (seen(dated(DAY, 365 * DAY)), options()),
        "certificate-not-for-servers": (seen(for_clients()), options()),
        "key-weak": (seen(weak_key()), options()),
        "signature-weak": (seen(weak_signature()), options()),
        "chain-too-long": (seen(RIGHT, *[root()] * 30), options()),
        "anchor-expired": (seen(RIGHT, anchors=(dated(-2 * DAY, -DAY),)), options()),
        "checked-connection-failed": (seen(RIGHT, trust=Trust(held=None, message="reset")), options()),
        "fingerprint-not-presented": (
            seen(RIGHT, **{**nothing, "anchor_flaw": Flaw("fingerprint-not-presented", "CN=a")}),
            options(),
        ),
        "fingerprint-is-no-root": (
            seen(RIGHT, **{**nothing, "anchor_flaw": Flaw("fingerprint-is-no-root", "CN=a")}),
            options(),
        ),
    }


def _names() -> dict[str, Case]:
    return {
        "common-name-differs": (seen(OTHER), options()),
        "common-name-is-node": (seen(OF_NODE), options(nodes=NODES)),
        "common-name-not-synchronized": (
            seen(OF_NODE),
            options(server=pending(VIP, "192.0.2.11"), nodes=NODES),
        ),
        "common-name-wrong-alternative-right": (seen(leaf("other.example.com", san=(VIP,))), options()),
        "common-name-missing": (seen(leaf(san=(VIP,))), options()),
        "certificate-without-names": (seen(leaf()), options()),
        "common-names-several": (seen(leaf(VIP, "192.0.2.11", san=(VIP,))), options()),
        "common-name-wildcard": (seen(leaf("*.example.com"), url=NAME), options()),
        "common-name-malformed": (seen(leaf("0x7f000001")), options()),
        "alternative-name-differs": (seen(leaf(VIP, san=("192.0.2.9",))), options()),
        "alternative-name-missing": (seen(leaf(VIP)), options(policy=SAN)),
        "alternative-name-malformed": (seen(leaf(VIP, san=(VIP, "under.example.com."))), options()),
        "alternative-name-wildcard": (seen(leaf(NAME, san=("*.example.com",)), url=NAME), options()),
        "stock-clients-refuse": (seen(leaf(VIP)), options()),
    }


def _cluster() -> dict[str, Case]:
    both = seen(RIGHT, url=NAME, resolution=Resolution(addresses=(VIP, "2001:db8::14")))
    apart = (endpoint(RIGHT), endpoint(OTHER, address="192.0.2.15"))
    refused, late = Outcome.REFUSED, Outcome.TIMEOUT
    other_issuer = earlier(leaf("192.0.2.14", san=(VIP, "192.0.2.1")), ["CN=Another Root"])
    return {
        "address-with-dual-stack": (both, options()),
        "addresses-differ": (seen(endpoints=apart), options()),
        "node-standby": (seen(RIGHT, **answering(None, refused)), options(nodes=NODES)),
        "node-active": (seen(RIGHT, **answering(None, refused)), options(nodes=NODES)),
        "nodes-both-answer": (seen(RIGHT, **answering(None, None)), options(nodes=NODES)),
        "node-unreachable": (seen(RIGHT, **answering(None, late)), options(nodes=NODES)),
        "no-node-answers": (seen(RIGHT, **answering(refused, refused)), options(nodes=NODES)),
        "node-certificate-differs": (
            seen(RIGHT, **answering(None, refused, certificate=OF_NODE)),
            options(nodes=NODES),
        ),
        "common-name-about-to-change": (seen(RIGHT), options(server=pending(NAME, VIP))),
        "certificate-changed-at-failover": (seen(OF_NODE), options(earlier=earlier(RIGHT))),
        "certificate-renewed": (seen(RIGHT), options(earlier=earlier(OTHER))),
        "issuer-changed": (seen(RIGHT), options(earlier=other_issuer)),
    }


def _service() -> dict[str, Case]:
    return {
        "path-missing": served(status=404),
        "path-redirects": served(status=302, location="https://portal.example.com/"),
        "path-not-licensing": served(status=200, content_type="text/html"),
        "path-forbidden": served(status=403, content_type="text/html"),
        "server-unavailable": served(status=503),
        "path-no-answer": served(status=0, failure="reset"),
        "proxy-in-the-way": served(status=400, intermediaries=("via: 1.1 proxy",)),
        "clock-differs": served(status=400, date=NOW - 3600),
    }


def _server() -> dict[str, Case]:
    alerting = ServerAccount(
        name="SAP1",
        status="Active",
        virtual_accounts=("Default",),
        alerts=(ServerAlert(severity="Major", kind="Synchronization Removed", message="90 days"),),
    )
    return {
        "api-unanswered": (seen(RIGHT), options(server=told(failure="Nobody there.", mend="Wait."))),
        "no-local-account": (seen(RIGHT), options(server=told())),
        "local-account-not-active": (
            seen(RIGHT),
            options(server=told(ServerAccount(name="SAP1", status="Requested"))),
        ),
        "no-virtual-account": (seen(RIGHT), options(server=told(alerting, wanted="Routers"))),
        "server-alert": (seen(RIGHT), options(server=told(alerting, wanted="Default"))),
    }


def _files() -> dict[str, Case]:
    return {
        "file-unreadable": (file(file_flaw=Flaw("file-unreadable", "No such file")), options()),
        "file-without-certificate": (file(file_flaw=Flaw("file-without-certificate", "a key")), options()),
        "file-needs-password": (file(file_flaw=Flaw("file-needs-password", "locked")), options()),
        "file-name-not-given": (file(RIGHT), options()),
    }


def all_cases() -> dict[str, Case]:
    """Id → an observation, and how it was checked."""
    return {
        **_destination(),
        **_reach(),
        **_chain(),
        **_names(),
        **_cluster(),
        **_service(),
        **_server(),
        **_files(),
    }
