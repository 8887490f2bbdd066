"""The browser certificate: of the cluster's own, or one that was signed elsewhere for a key made here."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from mock_server import browser_chain, issuing, pki
from mock_server.control.forms import Answer, Fields, Operation
from mock_server.domain import events
from mock_server.domain.words import date
from mock_server.errors import CallerError, problem
from mock_server.serving import Serving
from smartlic_client.protocol import signing

__all__ = ["OPERATIONS", "deleted_by_teardown", "described"]

NO_REQUEST = problem(
    "browser-certificate-no-request",
    CallerError,
    "No browser certificate was asked for: there is no key that this one could be for.",
    "Make a request first: `smartlic-mock certificates csr FILE`.",
)


class _Upload(Fields, kw_only=True):
    """`chain`: PEM, the browser certificate first."""

    chain: str


async def csr(serving: Serving, fields: Fields) -> Answer:
    """A request with a new key, which stays in the key store. Only the last one counts."""
    name = serving.state.settings.common_name
    key = signing.new_key()
    hosts = dict.fromkeys([name, *issuing.served_hosts(serving)])
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .add_extension(
            x509.SubjectAlternativeName([pki.general_name(host) for host in hosts]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    title = f"browser-request-{os.urandom(8).hex()}"
    keys = {title: signing.dump_key(key).encode()}
    await serving.commit(fields.by, [events.BrowserKeyMade(key=title)], keys)
    pem = request.public_bytes(serialization.Encoding.PEM).decode()
    return {"csr": pem, "names": list(hosts), "common_name": name}


async def upload(serving: Serving, fields: _Upload) -> Answer:
    async with serving.changing():
        title = serving.state.settings.browser_request
        if not title:
            raise NO_REQUEST()
        key = signing.load_key(serving.ledger.key(title).decode())
        now = datetime.datetime.now(datetime.UTC)
        chain = browser_chain.checked(fields.chain, key.public_key(), now)
        subject = chain[0].subject.rfc4514_string()[:200]
        uploaded = events.BrowserCertificateUploaded(chain=pki.der_chain(chain), key=title, subject=subject)
        await serving.commit(fields.by, [uploaded])
        serving.renew_tls()
        return described(serving)


async def reset(serving: Serving, fields: Fields) -> Answer:
    async with serving.changing():
        changed = await _reset(serving, fields.by, "reset")
        return {**described(serving), "changed": changed}


async def deleted_by_teardown(serving: Serving) -> None:
    """As on the real product a teardown deletes the uploaded browser certificate, and what was asked for."""
    async with serving.changing_certificates:
        await _reset(serving, "system", "deleted by the teardown")


async def _reset(serving: Serving, by: str, why: str) -> bool:
    settings = serving.state.settings
    if not settings.browser_key and not settings.browser_request:
        await serving.ledger.settled()
        return False
    issued = issuing.own_browser_certificate(serving)
    keys = issuing.keys_of({"browser": issued})
    gone = events.BrowserCertificateReset(chain=issued.der_chain, why=why)
    await serving.commit(by, [gone], keys)
    serving.renew_tls()
    return True


def described(serving: Serving) -> Answer:
    """The browser certificate that is served."""
    settings = serving.state.settings
    certificate = serving.certificates("browser")[0]
    return {
        "uploaded": bool(settings.browser_key),
        "requested": bool(settings.browser_request),
        "subject": certificate.subject.rfc4514_string(),
        "names": browser_chain.names_of(certificate),
        "ends": date(certificate.not_valid_after_utc.timestamp()),
        "fingerprint": pki.fingerprint(certificate),
    }


OPERATIONS: Final[Mapping[str, Operation]] = {
    "browser-certificate.csr": Operation(Fields, csr),
    "browser-certificate.upload": Operation(_Upload, upload),
    "browser-certificate.reset": Operation(Fields, reset),
}
