"""Signing in and out."""

from __future__ import annotations

import asyncio
import time

from starlette.responses import Response

from mock_server import pki
from mock_server.domain import users
from mock_server.pages import sessions
from mock_server.pages.forms import is_local, read_form
from mock_server.pages.visit import Visit

__all__ = ["form", "needed", "sign_in", "sign_out"]

_WRONG = "The name or the password is wrong."


async def form(visit: Visit) -> Response:
    """Who is signed in already goes on."""
    goal = visit.query.get("next", "/")
    if visit.user is not None:
        return visit.go(goal if is_local(goal) else "/")
    return _form(visit, goal)


def _form(visit: Visit, goal: str, *, error: str = "", name: str = "", status: int = 200) -> Response:
    kept = visit.serving.kept_anchor
    fingerprint = pki.fingerprint(kept) if kept is not None else ""
    values = {"error": error, "name": name, "goal": goal, "fingerprint": fingerprint}
    return visit.render("sign_in.html.j2", status, **values)


def needed(visit: Visit) -> Response:
    """Nobody is signed in: to the form, and back here after it."""
    request = visit.request
    if request.url.path == "/live" or "x-refresh" in request.headers:
        return visit.finish(Response("Sign in.", 401))
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return visit.go("/sign-in", **({"next": here} if request.method == "GET" and here != "/" else {}))


async def sign_in(visit: Visit) -> Response:
    values = await read_form(visit)
    name, goal = values.get("name", ""), values.get("next", "/")
    attempts, now = visit.site.attempts, time.monotonic()
    address = visit.request.client.host if visit.request.client is not None else ""
    wait = attempts.wait(address, name, now)
    if wait:
        error = f"Too many attempts: try again in {int(wait) + 1} seconds."
        response = _form(visit, goal, error=error, name=name, status=429)
        response.headers["retry-after"] = str(int(wait) + 1)
        return response
    attempts.failed(address, name, now)  # before the check, so that many at once are counted
    user = await asyncio.to_thread(users.verified, visit.state, name, values.get("password", ""))
    await visit.serving.ledger.settled()
    if user is None:
        return _form(visit, goal, error=_WRONG, name=name, status=403)
    attempts.succeeded(address, name)
    visit.new_session = visit.site.sessions.begin(user, time.time())
    return visit.go(goal if is_local(goal) else "/")


async def sign_out(visit: Visit) -> Response:
    await read_form(visit)
    session, now = visit.session, time.time()
    if visit.user is not None:
        until = session.began + sessions.LONGEST
        ended = users.sign_out(
            visit.state, session.user, sessions.digest(session), now=now, until=float(until)
        )
        await visit.serving.commit(session.user, ended)
    visit.new_session = visit.site.sessions.anonymous(now)
    return visit.go("/sign-in")
