"""The licensing root: CSSM alone has its key, which is in a private file and goes nowhere."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509

from mock_server import pki
from mock_server.cssm import problems
from mock_server.files import write_private
from smartlic_client.protocol import signing

__all__ = ["Root"]


class Root:
    """`Root(folder)`: in `folder`/root.pem and root.key, read when it is needed; None: in memory."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._issuer: pki.Issuer | None = None

    @property
    def there(self) -> bool:
        return self._issuer is not None or (self._folder is not None and (self._folder / "root.pem").exists())

    def issuer(self) -> pki.Issuer:
        """The root. Raises cssm-root-unusable where it is missing or damaged: it is not made anew."""
        if self._issuer is None:
            self._issuer = self._load()
        return self._issuer

    def ensure(self) -> None:
        """Make a root if there is none: for the first SSM On-Prem that is to be certified."""
        if not self.there:
            self.adopt(pki.new_root("Mock Licensing Root CA", datetime.datetime.now(datetime.UTC)))

    def adopt(self, issuer: pki.Issuer) -> None:
        """Have this root from now on. The certificate is written last: where it is, the key is too."""
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(self._folder / "root.key", signing.dump_key(issuer.key).encode(), sync=True)
            write_private(self._folder / "root.pem", pki.to_pem(issuer.certificate), sync=True)
        self._issuer = issuer

    def _load(self) -> pki.Issuer:
        if self._folder is None:
            raise problems.ROOT_UNUSABLE(path="in memory", why="none was made")
        path = self._folder / "root.pem"
        try:
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            path = self._folder / "root.key"
            key = signing.load_key(path.read_text(encoding="ascii"))
        except OSError as error:
            raise problems.ROOT_UNUSABLE(path=str(path), why=error.strerror) from None
        except ValueError:
            raise problems.ROOT_UNUSABLE(path=str(path), why="it is damaged") from None
        if key.public_key() != certificate.public_key():
            raise problems.ROOT_UNUSABLE(path=str(path), why="it is not the key of root.pem")
        return pki.Issuer(certificate, key, ())
