"""What a server that a teardown has discarded still shows: its last state, to read, marked as such."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from mock_server.domain.state import State
from mock_server.web.asgi import Receive, Scope, Send, send_json, send_whole
from mock_server.web.gui import FOOT, SECURITY

__all__ = ["DiscardedPages"]

_SHOWN = 1000
_API = ("/api/", "/oauth/", "/backend/")
_GONE = {
    "status": "ERROR",
    "code": "discarded",
    "statusMessage": "This server has been discarded.",
    "mend": "Ask the other server, on its own address: it stands alone now.",
}
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>On-Prem License Workspace (discarded)</title>
<style>
 body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem }}
 table {{ border-collapse: collapse; width: 100% }}
 th, td {{ border-bottom: 1px solid; padding: .3rem .6rem; text-align: left }}
 [role=alert] {{ border: 2px solid; padding: .5rem 1rem }}
 footer {{ margin-top: 3rem; font-size: .85rem }}
</style></head>
<body>
<h1>On-Prem License Workspace</h1>
<p role="alert"><strong>This server has been discarded.</strong> The cluster was torn down; what is shown here
is of that time and can only be read. Products and accounts are served by the other server.</p>
<h2>Local accounts</h2>
<table><thead><tr><th scope="col">Name</th><th scope="col">Status</th></tr></thead>
<tbody>{accounts}</tbody></table>
<h2>Product instances</h2>
<p>{count} in all.</p>
<table><thead><tr><th scope="col">Name</th><th scope="col">Account</th><th scope="col">Virtual account</th>
</tr></thead><tbody>{instances}</tbody></table>
<footer>{foot}</footer>
</body></html>
"""


class DiscardedPages:
    """An ASGI application. `state()`: what the server knew last; `status()`: what it is now.

    Automation is told that the server is gone, at whatever path of the API it asks.
    """

    def __init__(self, state: Callable[[], State], status: Callable[[], dict[str, Any]]) -> None:
        self._state = state
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        if scope["method"] not in ("GET", "HEAD") or scope["path"].startswith(_API):
            await send_json(send, 410, _GONE)
        elif scope["path"] == "/":
            page = _page(self._state()).encode()
            await send_whole(send, 200, b"text/html; charset=utf-8", page, SECURITY)
        elif scope["path"] == "/health":
            await send_json(send, 200, self._status())
        else:
            await send_json(send, 404, {"path": [f"There is nothing at {scope['path'][:200]!r}."]})


def _page(state: State) -> str:
    instances = list(state.instances.values())
    return _PAGE.format(
        accounts="".join(_row(account.name, account.status) for account in state.accounts.values()),
        count=len(instances),
        instances="".join(_row(one.name, one.account, one.virtual_account) for one in instances[:_SHOWN]),
        foot=escape(FOOT),
    )


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"
