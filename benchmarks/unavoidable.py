"""The work that a registration cannot do without, each part alone: CPU seconds on the server's side."""

from __future__ import annotations

import datetime
import ssl
import time
from collections.abc import Callable

from mock_server import pki, tls
from smartlic_client.protocol import signing
from smartlic_client.transport.tls import context_for

_ROUNDS = 300


def registration() -> dict[str, float]:
    """Part → CPU milliseconds for one registration over a new TLS connection."""
    now = datetime.datetime.now(datetime.UTC)
    root = pki.new_root("Benchmark Root", now)
    key = signing.new_key()
    _, chain = pki.new_authority(root, "Benchmark CA", key.public_key(), now=now, path_length=1)
    issuer = pki.Issuer(chain[0], key, chain)
    product = issuer.leaf("127.0.0.1", pki.PRODUCT, now=now, alternative_names=["127.0.0.1"])
    device = signing.new_key()
    text = b"x" * 3000
    signature = signing.sign(device, text)
    return {
        "TLS handshake": _handshake(product, root),
        "two signature checks": 2 * _cpu(lambda: signing.verify(device.public_key(), text, signature)),
        "one certificate": _cpu(lambda: issuer.identity(device.public_key(), "0" * 36, now=now)),
        "one signature": _cpu(lambda: signing.sign(key, text)),
    }


def _cpu(work: Callable[[], object]) -> float:
    work()
    began = time.process_time()
    for _ in range(_ROUNDS):
        work()
    return (time.process_time() - began) / _ROUNDS * 1000


def _handshake(product: pki.Issued, root: pki.Issuer) -> float:
    """The server's half of a TLS handshake, in memory; the client's half is not counted."""
    chain = b"".join(map(pki.to_pem, (product.certificate, *product.chain)))
    server = tls.server_context(chain, product.key_pem)
    client = context_for(pki.to_pem(root.certificate))
    spent = 0.0
    for round_ in range(_ROUNDS + 1):
        seconds = _one_handshake(server, client)
        spent += seconds if round_ else 0.0
    return spent / _ROUNDS * 1000


def _one_handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> float:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    spent = 0.0
    done = {"client": False, "server": False}
    while not all(done.values()):
        done["client"] = done["client"] or _step(theirs)
        began = time.process_time()
        done["server"] = done["server"] or _step(ours)
        spent += time.process_time() - began
    return spent


def _step(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True
