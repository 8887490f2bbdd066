"""What the REST API says no to, and the HTTP status of everything that can go wrong in a call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from mock_server.errors import CommunicationError, RefusedError, SmartlicError, problem

__all__ = ["MOST_SAID", "STATUS", "body_of", "headers_of", "oauth_word", "status_of"]

TOKEN_MISSING = problem(
    "access-token-missing",
    RefusedError,
    "The call bears no access token.",
    "Get one by POST /oauth/token, and send it with each call: Authorization: Bearer TOKEN.",
)
TOKEN_UNKNOWN = problem(
    "access-token-unknown",
    RefusedError,
    "The access token is none of this server's, or it was revoked.",
    "Get a new one by POST /oauth/token.",
)
TOKEN_EXPIRED = problem(
    "access-token-expired",
    RefusedError,
    "The access token has expired.",
    "Get a new one by POST /oauth/token.",
)
OTHER_ACCOUNT = problem(
    "account-forbidden",
    RefusedError,
    "This client may not use the local account {account!r}.",
    "Use a client of that account, or the account that this client belongs to.",
)
WRONG_CLIENT = problem(
    "wrong-client",
    RefusedError,
    "There is no API client with this id and secret.",
    "See `smartlic-mock api-client list`; a secret that was lost is made anew with `api-client renew`.",
)
WRONG_PASSWORD = problem(
    "wrong-user",
    RefusedError,
    "There is no user with this name and password.",
    "See `smartlic-mock user list`; a password that was lost is set anew with `user password`.",
)
WRONG_GRANT = problem(
    "wrong-grant",
    RefusedError,
    "{grant!r} is no grant of this server.",
    "Send grant_type client_credentials with client_id and client_secret, or password with username and "
    "password.",
)
TOO_MANY = problem(
    "too-many-calls",
    CommunicationError,
    "This client has made its {limit} calls of the minute.",
    "Wait as Retry-After says. The limit is set with `smartlic-mock rest-api --rate-limit`.",
)
TOO_MANY_ATTEMPTS = problem(
    "too-many-attempts",
    CommunicationError,
    "Too many attempts to sign in as {user!r} have failed.",
    "Wait as Retry-After says, and look at the password.",
)
NO_ROUTE = problem(
    "nothing-here",
    RefusedError,
    "There is nothing at {path!r}.",
    "GET /openapi.json has all routes, and /api-docs shows them.",
)
WRONG_METHOD = problem(
    "wrong-method",
    RefusedError,
    "{path!r} does not take {method}.",
    "It takes {allow}.",
)
BODY_TOO_LARGE = problem(
    "body-too-large",
    RefusedError,
    "The body is longer than {limit} bytes.",
    "Send it in parts.",
)
BODY_TOO_SLOW = problem(
    "body-too-slow",
    RefusedError,
    "The body was not whole after {seconds} seconds.",
    "Send it faster, or less of it.",
)
BODY_UNREADABLE = problem(
    "body-unreadable",
    RefusedError,
    "The body cannot be read as {what}: {why}.",
    "Send a JSON object, or a form.",
)
BODY_UNKNOWN = problem(
    "body-unknown",
    RefusedError,
    "The body is {told!r}, and no JSON object and no form.",
    "Send application/json or application/x-www-form-urlencoded.",
)
BAD_VALUE = problem(
    "bad-value",
    RefusedError,
    "The field {field} is not valid: {why}.",
    "GET /openapi.json says what each field may be.",
)
DEVICE_UNKNOWN = problem(
    "device-unknown",
    RefusedError,
    "The virtual account {virtual_account!r} has no product instance {device}.",
    "Give sudi and productTagName as the list of devices has them.",
)
DEVICE_AMBIGUOUS = problem(
    "device-ambiguous",
    RefusedError,
    "{count} product instances of the virtual account {virtual_account!r} are {device}.",
    "Give the whole sudi and the productTagName, as the list of devices has them.",
)
DEVICE_TWICE = problem(
    "device-twice",
    RefusedError,
    "The product instance {device} is named twice.",
    "Name each once.",
)
ID_TOKEN_UNKNOWN = problem(
    "id-token-unknown",
    RefusedError,
    "The virtual account {virtual_account!r} has no such ID token: number {place} of the list.",
    "Give whole tokens, or the tokenId that the list of tokens has.",
)
OUTCOME_UNKNOWN = problem(
    "outcome-unknown",
    CommunicationError,
    "This server stopped serving while it did this: whether it is done is not known.",
    "Look whether it is done before you ask again.",
)
INTERNAL = problem(
    "api-defect",
    CommunicationError,
    "This server has a defect; its log says more.",
    "Look whether it was done before you ask again.",
)

MOST_SAID: Final = 500
"""Characters of a message: names that a client has sent may be long."""

STATUS: Final[Mapping[str, int]] = {
    TOKEN_MISSING.code: 403,
    TOKEN_UNKNOWN.code: 403,
    TOKEN_EXPIRED.code: 401,
    OTHER_ACCOUNT.code: 403,
    WRONG_CLIENT.code: 403,
    WRONG_PASSWORD.code: 403,
    TOO_MANY.code: 429,
    TOO_MANY_ATTEMPTS.code: 429,
    NO_ROUTE.code: 404,
    WRONG_METHOD.code: 405,
    BODY_TOO_LARGE.code: 413,
    BODY_TOO_SLOW.code: 408,
    BODY_UNKNOWN.code: 415,
    DEVICE_UNKNOWN.code: 404,
    DEVICE_AMBIGUOUS.code: 409,
    ID_TOKEN_UNKNOWN.code: 404,
    INTERNAL.code: 500,
    OUTCOME_UNKNOWN.code: 500,  # 503 would say that it was not done
    # Of the domain: what is not there, and what does not go now.
    "account-unknown": 404,
    "virtual-account-unknown": 404,
    "license-unknown": 404,
    "instance-unknown": 404,
    "account-not-active": 409,
    "virtual-account-exists": 409,
    "virtual-account-in-use": 409,
    "default-virtual-account": 409,
    "same-virtual-account": 409,
    "license-ambiguous": 409,
    "not-so-many-licenses": 409,
}
"""All else that is the caller's is 400, and what may work later is 503."""


def status_of(error: SmartlicError) -> int:
    return STATUS.get(error.code, 503 if isinstance(error, CommunicationError) else 400)


def headers_of(error: SmartlicError) -> dict[str, str]:
    headers = {}
    if error.code == TOKEN_EXPIRED.code:
        # RFC 6750, section 3.
        headers["www-authenticate"] = 'Bearer error="invalid_token", error_description="expired"'
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    if error.code in (BODY_TOO_LARGE.code, BODY_TOO_SLOW.code):
        headers["connection"] = "close"
    if error.code == WRONG_METHOD.code:
        headers["allow"] = error.context["allow"]
    return headers


def body_of(error: SmartlicError) -> dict[str, Any]:
    """`mend`: what to do."""
    return {
        "status": "ERROR",
        "statusMessage": error.sentence[:MOST_SAID],
        "code": error.code,
        "mend": error.mend[:MOST_SAID],
    }


def oauth_word(error: SmartlicError) -> str:
    """The error of POST /oauth/token in the words of RFC 6749, section 5.2."""
    words = {
        WRONG_CLIENT.code: "invalid_client",
        WRONG_PASSWORD.code: "invalid_grant",
        WRONG_GRANT.code: "unsupported_grant_type",
    }
    return words.get(error.code, "temporarily_unavailable" if status_of(error) >= 500 else "invalid_request")
