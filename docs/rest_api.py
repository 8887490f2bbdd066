"""The reference page of the mock's REST API: its routes and refusals come from the tables in the code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mock_server.api import problems
from mock_server.api.calls import PIECE, Route
from mock_server.api.reading import BODY_SECONDS, MAX_BODY
from mock_server.api.routes import ROUTES
from mock_server.domain.api_clients import LIFE, MOST_TOKENS

__all__ = ["page"]

_PAGE = """\
# REST API of the mock

{made}

The pages' listener (8443) serves a REST API as automation for SSM On-Prem uses it. No public reference of the
real one exists: the routes, fields and answers here are what public clients send and read. Typed, in Python:
[ask the server by its API](../how-to/ask-the-server-by-its-api.md).

Every path is there as it stands here and under `/backend`. The Active serves it, on the VIP and on its own
address. `/openapi.json` is its OpenAPI 3.1 document, and `/api-docs` shows that as a page; neither needs an
access token, or a network.

## Who may

`smartlic-mock api-client create` makes a client of a local account: an id and a secret of 64 characters. The
secret is shown once; `--save FILE` writes what to post for an access token instead. `api-client list`,
`renew` (a new secret) and `delete` are the rest of its life. The event log names the client for what it did.

`POST /oauth/token` gives an access token for `client_credentials` (client_id, client_secret, or both by HTTP
Basic) or for `password` (username, password: a user of the server, see `smartlic-mock user`). It can be used
for {life} seconds by the clock of licensing (`smartlic-mock clock advance 2h` lets it expire). A client's
token opens its own local account; a user's opens all, or, where the request has a client too, that client's.
Access tokens survive a failover. They end with a new secret or password, and with the client, user or
account. A bearer has {most} at most; one more ends the oldest. A user whose password was wrong five times
has to wait a minute, as on the pages.

| a call with | gets |
|---|---|
| no access token, an unknown one, one that was revoked | 403 |
| one that has expired | 401, with `WWW-Authenticate` |
| the path of another account, whether that is there or not | 403 |

## What is read

Fields may be in a JSON object, in a form, or in the query; the body goes first. A content type that is not
the body's does no harm where the body can be read. Keys that are not known are left out.

- A field that is missing, null or empty has its default.
- A number may be its text; a whole number may be written as `30.0`.
- A list may be one text, or a key that comes again (`a=1&a=2`, `a[]=1&a[]=2`). Lists and objects in a form
  or a query are JSON.
- `limit` -1 is all, `offset` leaves out so many. Without `limit` it is 50.
- `virtualAccounts` missing or empty: all of them.
- Names in paths are percent-decoded: `/` in a name is `%2F`.

A body has at most {body} bytes and {seconds:.0f} seconds.

## Routes

| route | what it does | fields | answer |
|---|---|---|---|
{routes}

Success is 200, for what is made too. Lists of more than {piece} rows leave in pieces; a piece shows what is
there when it leaves, and waits until that is on the disks of both servers, as every answer does. A list whose
server stops serving is cut, so that nobody takes it for whole. Product instances are listed by name.
Transfers, removals and revocations do all that they name, or nothing.

ID tokens are kept as hashes: a list has `token` empty, and `tokenId` for `revoke`. Automation that needs the
list whole: `smartlic-mock rest-api --whole-tokens` keeps the text of those that are made from then on, in the
key store of both servers.

## Errors

`{{"status": "ERROR", "statusMessage": …, "code": …, "mend": …}}`: what happened, a code that stays, what to
do. Of `POST /oauth/token` they have `error` too, with the words of RFC 6749.

| status | codes |
|---|---|
{errors}
| 502 | `booting`: the server has just been started; Retry-After |
| 503 | what may work later (`not-active`, `flush-failed`, `journal-busy`, …), and is not done; Retry-After |

Any other refusal is 400. The codes are described in [errors.md](errors.md).

`smartlic-mock rest-api --rate-limit 60` allows each bearer 60 calls a minute, evenly refilled; off by
default. Beyond it: 429, with Retry-After. Requests for access tokens are counted by the address that they
come from. Each server counts for itself: after a failover everybody begins anew.
"""


def page(made: str) -> str:
    """The page. `made`: who makes it."""
    return _PAGE.format(
        made=made,
        life=LIFE,
        most=MOST_TOKENS,
        body=MAX_BODY,
        seconds=BODY_SECONDS,
        piece=PIECE,
        routes="\n".join(_row(route) for route in ROUTES),
        errors="\n".join(_errors()),
    )


def _row(route: Route) -> str:
    asked = ", ".join(f"`{name}`" for name in _names(route.takes)) or "none"
    gives = ", ".join(f"`{name}`" for name in _names(route.gives))
    return f"| `{route.method} {route.path}` | {route.summary} | {asked} | {gives} |"


def _names(form: type[Any]) -> tuple[str, ...]:
    names: tuple[str, ...] = form.__struct_encode_fields__
    return names


def _errors() -> Iterator[str]:
    by_status: dict[int, list[str]] = {}
    for code, status in problems.STATUS.items():
        by_status.setdefault(status, []).append(f"`{code}`")
    for status, codes in sorted(by_status.items()):
        later = "; Retry-After" if status == 429 else ""
        yield f"| {status} | {', '.join(sorted(codes))}{later} |"
