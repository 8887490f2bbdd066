"""The licensing service of one node: the domain, its certificates and its web applications (cluster.Service).

While the node is Active there is a `Serving`; on a Standby there is none, and the machine only follows.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from cryptography import x509

from mock_server import pki
from mock_server.cluster.machine import ASGIApp, ControlHandler, Ledger, NodeContext
from mock_server.cluster.problems import NOT_ACTIVE
from mock_server.control import handlers
from mock_server.cssm import Cssm
from mock_server.domain.apply import LicensingMachine
from mock_server.errors import SmartlicError
from mock_server.serving import Serving
from mock_server.web.devices import DeviceEndpoint
from mock_server.web.gui import GuiEndpoint

__all__ = ["LicensingService", "make"]


class LicensingService:
    """What a node serves, and what its control socket does for the domain."""

    def __init__(self, context: NodeContext) -> None:
        self.context = context
        self.machine = LicensingMachine()
        self.cssm = Cssm(context.folder / "cssm")
        self.serving: Serving | None = None
        self.control: Mapping[str, ControlHandler] = handlers(self.active)

    def active(self) -> Serving:
        """What is there while this node is Active. Raises `not-active` otherwise."""
        if self.serving is None:
            raise self._not_active()
        return self.serving

    def _not_active(self) -> SmartlicError:
        return NOT_ACTIVE(node=self.context.name, state="Standby", retry_after=1)

    def device_app(self) -> ASGIApp:
        return DeviceEndpoint(lambda: self.serving.desk if self.serving else None, self._not_active)

    def gui_app(self) -> ASGIApp:
        return GuiEndpoint(self.context.status, self.anchor)

    def anchor(self) -> tuple[bytes, str]:
        pem = self.cssm.anchor()
        return pem, pki.fingerprint(x509.load_pem_x509_certificate(pem))

    def device_tls(self) -> ssl.SSLContext | None:
        return self.active().device_tls

    def gui_tls(self) -> ssl.SSLContext | None:
        return self.active().gui_tls

    async def activate(self, ledger: Ledger) -> None:
        serving = Serving(self.context, self.machine, ledger, self.cssm)
        if not self.machine.state.settings.certificates:
            await serving.first_certificates()
        self.serving = serving

    def deactivate(self) -> None:
        self.serving = None

    def applied(self, payload: bytes) -> None:
        """Nothing needs to be told: the machine is the state."""


def make(context: NodeContext) -> LicensingService:
    """The factory that a node's process calls: `mock_server.service:make`."""
    return LicensingService(context)
