"""Server-side TLS contexts from certificates and keys that are in memory."""

from __future__ import annotations

import os
import ssl
import tempfile

__all__ = ["load", "server_context"]


def server_context(chain_pem: bytes, key_pem: bytes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, chain_pem, key_pem)
    return context


def load(context: ssl.SSLContext, chain_pem: bytes, key_pem: bytes) -> None:
    """Serve this certificate from the next handshake on; connections that are open stay open.

    OpenSSL's Python binding reads files only: the pair is in one that its owner alone can read, for as long
    as that takes.
    """
    handle, path = tempfile.mkstemp(prefix="smartlic-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(key_pem + chain_pem)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)  # noqa: PTH108 - beside mkstemp's text path
