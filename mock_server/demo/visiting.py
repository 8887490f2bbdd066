"""A look at the pages, as a browser would have it: signed in where that is asked for."""

from __future__ import annotations

import re

import requests

from mock_server.domain import users

__all__ = ["visited"]

_TIMEOUT = 5
_OVERVIEW = "/admin/"


def visited(base: str, anchor: str, password: str | None) -> requests.Response:
    """The first page at `base`; with the first administrator's password, the overview of the administration.

    A server that was discarded asks nobody to sign in. Raises requests.RequestException.
    """
    with requests.Session() as session:
        first = session.get(f"{base}/", verify=anchor, timeout=_TIMEOUT)
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', first.text)
        if password is None or token is None:
            return first
        fields = {"csrf": token[1], "name": users.FIRST, "password": password, "next": _OVERVIEW}
        return session.post(f"{base}/sign-in", fields, verify=anchor, timeout=_TIMEOUT)
