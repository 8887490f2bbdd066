"""One request to a page: who asks, what is asked for, and how it is answered."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from mock_server.control import perform
from mock_server.control.forms import Answer
from mock_server.domain import accounts
from mock_server.domain.state import DEFAULT_VIRTUAL_ACCOUNT, Account, State, User, UserRole
from mock_server.errors import CallerError, problem
from mock_server.pages.actions import ACTIONS, question, seen
from mock_server.pages.rendering import rendered
from mock_server.pages.sessions import Session
from mock_server.pages.site import Site
from mock_server.pages.tables import Asked, Listing, csv_lines
from mock_server.serving import Serving

__all__ = ["NOT_ALLOWED", "NO_PAGE", "Visit"]

NO_PAGE = problem(
    "no-such-page",
    CallerError,
    "There is nothing at {path!r}.",
    "Begin at the licensing workspace.",
)
NOT_ALLOWED = problem(
    "not-allowed",
    CallerError,
    "The user {user!r} may not do this: it takes an administrator.",
    "Ask an administrator of this server, or sign in as one.",
)
_ROWS_AT_ONCE = 500


@dataclass
class Visit:
    """`user`: None before the sign-in."""

    site: Site
    request: Request
    session: Session
    user: User | None
    new_session: Session | None = None

    @property
    def serving(self) -> Serving:
        return self.site.serving

    @property
    def state(self) -> State:
        return self.site.serving.state

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query_params

    @property
    def asked(self) -> Asked:
        return Asked.of(self.request.url.path, dict(self.request.query_params))

    @property
    def wants_csv(self) -> bool:
        return self.query.get("format") == "csv"

    @property
    def is_administrator(self) -> bool:
        return self.user is not None and self.user.role is UserRole.ADMINISTRATOR

    def account(self) -> tuple[Account, str]:
        """The local account and the virtual account that the query names. Raises what is not there."""
        name, place = self.query.get("account", ""), self.query.get("place", DEFAULT_VIRTUAL_ACCOUNT)
        return accounts.account_of(self.state, name, place), place

    # ---- what templates ask ------------------------------------------------------------------------------
    @property
    def here(self) -> str:
        """This page's address: where a form comes back to."""
        return self.asked.url(format=None)

    def seen(self, action: str, values: Mapping[str, str]) -> str:
        """What a form has seen of the thing that it changes."""
        about = ACTIONS[action].about
        return "" if about is None else seen(self.state, about, values)

    def question(self, action: str, values: Mapping[str, str]) -> str:
        """What is asked before it is done; "" where nothing is."""
        return question(ACTIONS[action], values)

    async def control(self, operation: str, **fields: Any) -> Answer:
        """The operation that the command line's verbs use as well, done by this user."""
        by = self.user.name if self.user is not None else "nobody"
        return await perform(self.serving, operation, by=by, **fields)

    # ---- answers ------------------------------------------------------------------------------------------
    def render(self, template: str, status: int = 200, **values: Any) -> Response:
        cluster = self.site.context.status()
        page = rendered(
            template,
            visit=self,
            user=self.user,
            administrator=self.is_administrator,
            csrf=self.site.sessions.form_token(self.session),
            cluster=cluster,
            path=self.request.url.path,
            done_texts={name: action.done for name, action in ACTIONS.items()},
            **values,
        )
        return self.finish(HTMLResponse(page, status))

    def listing(self, template: str, listing: Listing, name: str, **values: Any) -> Response:
        """A page around one table, or the table whole as CSV where that is asked for. `name`: of the file."""
        if self.wants_csv:
            return self.csv(listing, listing.rows, name)
        return self.render(template, listing=listing, **values)

    def csv(self, listing: Listing, rows: Iterable[Mapping[str, Any]], name: str) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            part = bytearray()
            for number, line in enumerate(csv_lines(listing.columns, rows)):
                part += line
                if number % _ROWS_AT_ONCE == _ROWS_AT_ONCE - 1:
                    yield bytes(part)
                    part.clear()
            yield bytes(part)

        headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
        return self.finish(StreamingResponse(chunks(), media_type="text/csv; charset=utf-8", headers=headers))

    def go(self, path: str, **query: str) -> Response:
        """To another page, by GET."""
        return self.finish(RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303))

    def finish(self, response: Response) -> Response:
        """The session's cookie goes with the answer where it is a new one."""
        sessions, now = self.site.sessions, time.time()
        new = self.new_session
        if new is None and self.user is not None and "x-refresh" not in self.request.headers:
            new = sessions.renewed(self.session, now)  # a page that refreshes itself is nobody's doing
        if new is not None:
            response.set_cookie(
                sessions.cookie, sessions.text(new), path="/", secure=True, httponly=True, samesite="strict"
            )
        return response
