"""The mock Cisco Software Central: it holds the root of the licensing PKI and certifies SSM On-Prem's CA.

One folder on disk, shared by both nodes, since it stands for a service that is the same from anywhere.
"""

from __future__ import annotations

import datetime
import os
import tempfile
from pathlib import Path

from cryptography import x509

from mock_server import pki
from mock_server.errors import CommunicationError, problem
from smartlic_client.protocol import signing

__all__ = ["Cssm"]

CSSM_UNREACHABLE = problem(
    "cssm-unreachable",
    CommunicationError,
    "The mock Cisco Software Central cannot be reached: {why}.",
    "It lives in the folder {folder}, made by `smartlic-mock up`: see that it is there and readable.",
)


class Cssm:
    """`Cssm(folder)`: nothing is read until it is asked for something."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self) -> None:
        """Make the root if there is none. Safe to call again; the key is readable by its owner only."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (self.folder / "root.pem").exists():
            return
        root = pki.new_root("Mock Licensing Root CA", datetime.datetime.now(datetime.UTC))
        self._write("root.key", signing.dump_key(root.key).encode())
        self._write("root.pem", pki.to_pem(root.certificate))

    def anchor(self) -> bytes:
        """The root's certificate in PEM: the trust anchor of devices."""
        return self._read("root.pem")

    def certify_authority(
        self, common_name: str, public_key: signing.PublicKey, now: datetime.datetime
    ) -> tuple[x509.Certificate, tuple[x509.Certificate, ...]]:
        """Certify an SSM On-Prem's own CA, which may have one more authority below it."""
        try:
            certificate = x509.load_pem_x509_certificate(self._read("root.pem"))
            key = signing.load_key(self._read("root.key").decode())
        except ValueError as error:
            raise CSSM_UNREACHABLE(why=f"its root is damaged ({error})", folder=str(self.folder)) from None
        root = pki.Issuer(certificate, key, ())
        return pki.new_authority(root, common_name, public_key, now=now, path_length=1)

    def _read(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise CSSM_UNREACHABLE(why=error.strerror, folder=str(self.folder)) from None

    def _write(self, name: str, data: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(self.folder / name)
