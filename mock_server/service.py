"""The licensing service of one node: the domain, its certificates and its web applications (cluster.Service).

While the node is Active there is a `Serving`; on a Standby there is none, and the machine only follows.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

from mock_server import administrators, issuing, pki, tls
from mock_server.api.paths import is_of_api
from mock_server.cluster.machine import ASGIApp, ControlHandler, Ledger, NodeContext
from mock_server.cluster.problems import NOT_ACTIVE
from mock_server.control import browser, handlers
from mock_server.cssm.port import CssmClient, CssmPort
from mock_server.cssm.problems import CSSM_UNREACHABLE
from mock_server.domain.apply import LicensingMachine
from mock_server.errors import SmartlicError
from mock_server.faults import Faults
from mock_server.pages.live import Live
from mock_server.pages.sessions import KEY, Sessions
from mock_server.pages.site import Site
from mock_server.serving import Serving, kept_key, key_name_of, new_key, stored_chain
from mock_server.syncing import Synchronizer
from mock_server.web.asgi import Receive, Scope, Send
from mock_server.web.devices import PATHS, DeviceEndpoint
from mock_server.web.discarded import DiscardedPages
from mock_server.web.faulty import Faulty
from mock_server.web.gui import GuiEndpoint
from mock_server.web.later import Later

__all__ = ["LicensingService", "make"]


class LicensingService:
    """What a node serves, and what its control socket does for the domain.

    `cssm`: how it reaches CSSM; by default the process whose socket the cluster's folder names. For one in
    this process: `LicensingService(context, local.port)`, see `cssm.port.LocalCssm`.
    """

    def __init__(self, context: NodeContext, cssm: CssmPort | None = None) -> None:
        self.context = context
        self.machine = LicensingMachine()
        self.cssm: CssmPort = cssm or CssmClient.over_socket(context.folder / "cssm")
        self.serving: Serving | None = None
        self.faults = Faults(_paths)
        self._live = Live(context.status)
        self._site: Site | None = None
        self._looking: asyncio.Task[None] | None = None
        self.control: Mapping[str, ControlHandler] = handlers(self.active)

    def active(self) -> Serving:
        """What is there while this node is Active. Raises `not-active` otherwise."""
        if self.serving is None:
            raise self._not_active()
        return self.serving

    def _not_active(self) -> SmartlicError:
        return NOT_ACTIVE(node=self.context.name, state="Standby", retry_after=1)

    def device_app(self) -> ASGIApp:
        endpoint = DeviceEndpoint(lambda: self.serving.desk if self.serving else None, self._not_active)
        return Faulty(endpoint, self.faults, lambda _scope: "devices")

    def gui_app(self) -> ASGIApp:
        pages, api = GuiEndpoint(self.context.status, self.anchor, Later(self._pages)), Later(self._api)

        async def gui(scope: Scope, receive: Receive, send: Send) -> None:
            await (api if is_of_api(scope) else pages)(scope, receive, send)

        return Faulty(gui, self.faults, lambda scope: "api" if is_of_api(scope) else "pages")

    def _pages(self) -> ASGIApp:
        from mock_server.pages.app import Pages

        return Pages(self.site)

    def _api(self) -> ASGIApp:
        from mock_server.api.app import ApiEndpoint

        return ApiEndpoint(self.active)

    def site(self) -> Site:
        """What the pages show while this node is Active. Raises `not-active` otherwise."""
        if self._site is None:
            raise self._not_active()
        return self._site

    def anchor(self) -> tuple[bytes, str]:
        """The trust anchor in PEM, and its fingerprint: kept here, so that it is there without CSSM."""
        kept = self.active().kept_anchor
        if kept is None:
            raise CSSM_UNREACHABLE(
                why="it has not been reached since this release was installed", retry_after=1
            )
        return pki.to_pem(kept), pki.fingerprint(kept)

    def device_tls(self) -> ssl.SSLContext | None:
        return self.active().device_tls

    def gui_tls(self) -> ssl.SSLContext | None:
        return self.active().gui_tls

    async def activate(self, ledger: Ledger) -> None:
        serving = Serving(self.context, self.machine, ledger, self.cssm, self.faults)
        first = administrators.first_administrator(serving)
        if not self.machine.state.settings.certificates:
            await issuing.first_certificates(serving, first, {KEY: new_key()})
        elif first:  # the journal of a release without users
            await serving.commit("system", first)
        sessions = Sessions(await kept_key(serving, KEY), self.context.config.cluster)
        self.serving, self._site = serving, Site(serving, sessions, self._live)
        self._live.begin()
        self._looking = asyncio.get_running_loop().create_task(Synchronizer(serving).look())

    def deactivate(self) -> None:
        self.serving = self._site = None
        self.faults.reset(0)
        self._live.end()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def torn_down(self) -> None:
        """This server has become a stand-alone one: what a teardown deletes is gone."""
        await browser.deleted_by_teardown(self.active())

    def pages(self, keys: Mapping[str, bytes]) -> tuple[ASGIApp, ssl.SSLContext | None]:
        settings = self.machine.state.settings
        chain = stored_chain(settings.certificates.get("browser", []))
        context = None
        if chain:
            pem = b"".join(map(pki.to_pem, chain))
            context = tls.server_context(pem, keys[key_name_of(settings, "browser")])
        return DiscardedPages(lambda: self.machine.state, self.context.status), context

    def applied(self, _payload: bytes) -> None:
        """Pages that are open are told that something has changed."""
        self._live.changed()


def _paths() -> list[str]:
    """Those that there are, for a request to one that there is not."""
    from mock_server.api.routes import ROUTES

    return [*PATHS, *(route.path for route in ROUTES)]


def make(context: NodeContext) -> LicensingService:
    """The factory that a node's process calls: `mock_server.service:make`."""
    return LicensingService(context)
