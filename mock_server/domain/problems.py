"""What the server says no to when a person or a tool asks for something. Devices get refusals instead."""

from __future__ import annotations

from mock_server.errors import CallerError, problem

ACCOUNT_UNKNOWN = problem(
    "account-unknown",
    CallerError,
    "There is no local account {account!r}.",
    "See `smartlic-mock accounts` for those there are.",
)
VIRTUAL_ACCOUNT_UNKNOWN = problem(
    "virtual-account-unknown",
    CallerError,
    "The local account {account!r} has no virtual account {virtual_account!r}.",
    "See `smartlic-mock accounts` for those there are.",
)
ACCOUNT_EXISTS = problem(
    "account-exists",
    CallerError,
    "There is a local account {account!r} already.",
    "Use it, or choose another name.",
)
BAD_NAME = problem(
    "bad-name",
    CallerError,
    "{name!r} is no name for {what}.",
    "Give 1 to 100 characters, without control characters and without blanks at the ends.",
)
BAD_DAYS = problem(
    "bad-token-days",
    CallerError,
    "A token cannot expire after {days} days.",
    "Give a number from 1 to 365.",
)
BAD_USES = problem(
    "bad-token-uses",
    CallerError,
    "A token cannot have {uses} uses.",
    "Give a number from 1 to 100000, or none for any number of uses.",
)
BAD_QUANTITY = problem(
    "bad-quantity",
    CallerError,
    "{quantity} is no quantity of licenses.",
    "Give a whole number from 0 to 2147483647.",
)
BAD_COMMON_NAME = problem(
    "bad-common-name",
    CallerError,
    "{name!r} cannot be the Host Common Name: {why}.",
    "Give the VIP's address or the cluster's FQDN, exactly as it stands in the products' destination URL.",
)
BAD_CLOCK = problem(
    "bad-clock",
    CallerError,
    "The clock of licensing cannot be moved so far.",
    "Stay between the years 2000 and 2100.",
)
TOKEN_NOT_THERE = problem(
    "token-not-there",
    CallerError,
    "There is no token {token!r}.",
    "See `smartlic-mock token list`.",
)
