"""The page of the GUI listener, the trust anchor, and a health answer for tools.

Only the Active serves it, so that the page's address alone shows where the GUI is (A2.3, A2.13).
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from mock_server.errors import SmartlicError
from mock_server.web.asgi import Receive, Scope, Send, send_json, send_problem, send_whole

__all__ = ["FOOT", "SECURITY", "GuiEndpoint"]

FOOT = (
    "A mock for tests. It authorizes no real product and has no affiliation with Cisco. "
    "Cisco and Smart Licensing are names of Cisco Systems, Inc."
)

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>On-Prem License Workspace</title>
<style>
 body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem }}
 table {{ border-collapse: collapse; width: 100% }}
 th, td {{ border-bottom: 1px solid; padding: .3rem .6rem; text-align: left }}
 footer {{ margin-top: 3rem; font-size: .85rem }}
</style></head>
<body>
<h1>On-Prem License Workspace</h1>
{widget}
<p><a href="/trust-anchor.pem">Trust anchor</a> for products: {fingerprint}</p>
<footer>{foot}</footer>
</body></html>
"""
_WIDGET = """<h2>High Availability</h2>
<table>
<thead><tr><th scope="col">Server</th><th scope="col">Address</th><th scope="col">Role</th>
<th scope="col">Cluster</th><th scope="col">Database</th></tr></thead>
<tbody>{rows}</tbody>
</table>
<p>Heartbeat: {heartbeat}. VIP {vip} is held by {holder}.</p>"""
_FIELDS = ("address", "role", "cluster", "database")
SECURITY = [
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]


class GuiEndpoint:
    """An ASGI application. `status()`: both servers; `anchor()`: PEM and fingerprint of the trust anchor."""

    def __init__(self, status: Callable[[], dict[str, Any]], anchor: Callable[[], tuple[bytes, str]]) -> None:
        self._status = status
        self._anchor = anchor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        path = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            await send_json(send, 405, {"method": ["Only GET."]}, [(b"allow", b"GET, HEAD")])
            return
        try:
            pem, fingerprint = self._anchor()
        except SmartlicError as error:
            await send_problem(send, 503, error)
            return
        if path == "/":
            page = _page(self._status(), fingerprint).encode()
            await send_whole(send, 200, b"text/html; charset=utf-8", page, SECURITY)
        elif path == "/trust-anchor.pem":
            await send_whole(send, 200, b"application/x-pem-file", pem)
        elif path == "/health":
            await send_json(send, 200, self._status())
        else:
            await send_json(send, 404, {"path": [f"There is nothing at {path[:200]!r}."]})


def _page(status: dict[str, Any], fingerprint: str) -> str:
    """A stand-alone server has no High Availability widget (C.8, C.10)."""
    widget = _widget(status) if status["mode"] == "cluster" else ""
    return _PAGE.format(widget=widget, fingerprint=escape(fingerprint), foot=escape(FOOT))


def _widget(status: dict[str, Any]) -> str:
    rows = "".join(
        "<tr>"
        + f"<td>{escape(name.capitalize())}</td>"
        + "".join(f"<td>{escape(str(server[field]))}</td>" for field in _FIELDS)
        + "</tr>"
        for name, server in status["servers"].items()
    )
    return _WIDGET.format(
        rows=rows,
        heartbeat=escape(str(status["heartbeat"])),
        vip=escape(str(status["vip"]["host"])),
        holder=escape(f"the {status['vip']['holder'].capitalize()}" if status["vip"]["holder"] else "nobody"),
    )
