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
ACCOUNT_NOT_ACTIVE = problem(
    "account-not-active",
    CallerError,
    "The local account {account!r} is {status}: nothing can be done with it.",
    "Approve it if it is requested, or activate it if it is inactive; see `smartlic-mock account --help`.",
)
ACCOUNT_STEP = problem(
    "account-step",
    CallerError,
    "The local account {account!r} is {status}: it cannot be {step}.",
    "It can be {step} while it is {allowed}.",
)
ACCOUNT_IN_USE = problem(
    "account-in-use",
    CallerError,
    "The local account {account!r} still has {count} product instances.",
    "De-register or remove them first (`smartlic-mock instance remove`).",
)
VIRTUAL_ACCOUNT_TAKEN = problem(
    "virtual-account-taken",
    CallerError,
    "{smart_account} / {virtual_account} in CSSM belongs to the local account {account!r} already.",
    "Give another virtual account of CSSM: each belongs to one local account.",
)
VIRTUAL_ACCOUNT_EXISTS = problem(
    "virtual-account-exists",
    CallerError,
    "The local account {account!r} has a virtual account {virtual_account!r} already.",
    "Use it, or choose another name.",
)
VIRTUAL_ACCOUNT_IN_USE = problem(
    "virtual-account-in-use",
    CallerError,
    "The virtual account {virtual_account!r} of {account!r} cannot be deleted: it has {what}.",
    "Transfer or remove its product instances, and revoke its tokens, first.",
)
DEFAULT_STAYS = problem(
    "default-virtual-account",
    CallerError,
    "The virtual account Default of {account!r} cannot be deleted.",
    "Every local account has one; delete the others, or the whole local account.",
)
SAME_VIRTUAL_ACCOUNT = problem(
    "same-virtual-account",
    CallerError,
    "It is in the virtual account {virtual_account!r} already.",
    "Give another virtual account of the same local account.",
)
BAD_EMAIL = problem(
    "bad-email",
    CallerError,
    "{email!r} is no e-mail address.",
    "Give one such as admin@example.com, or none.",
)
BAD_REASON = problem(
    "bad-reason",
    CallerError,
    "A local account is deactivated with a reason, and this is none.",
    "Give 1 to 255 characters, without control characters.",
)
BAD_DESCRIPTION = problem(
    "bad-description",
    CallerError,
    "The description is too long or has control characters.",
    "Give up to 255 characters in one line.",
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
BAD_TRANSFER = problem(
    "bad-transfer",
    CallerError,
    "{quantity} licenses cannot be transferred.",
    "Give a whole number from 1 to 2147483647.",
)
LICENSE_UNKNOWN = problem(
    "license-unknown",
    CallerError,
    "There is no license {license!r} in {account} / {virtual_account}.",
    "See `smartlic-mock licenses` for those there are; give a license's name or its entitlement tag.",
)
LICENSE_AMBIGUOUS = problem(
    "license-ambiguous",
    CallerError,
    "{count} entitlements there have the name {license!r}.",
    "Give the entitlement tag: `smartlic-mock --format json licenses` shows it.",
)
NOT_SO_MANY = problem(
    "not-so-many-licenses",
    CallerError,
    "{quantity} {license} cannot be transferred from {virtual_account}: there are {there} (of {kind} lots).",
    "Give at most as many; `smartlic-mock licenses` shows what there is, with its lots in --format json.",
)
INSTANCE_UNKNOWN = problem(
    "instance-unknown",
    CallerError,
    "There is no product instance {instance!r}.",
    "See `smartlic-mock instances`; give its name or its product instance identifier.",
)
INSTANCE_AMBIGUOUS = problem(
    "instance-ambiguous",
    CallerError,
    "{count} product instances have the name {instance!r}.",
    "Give the product instance identifier: `smartlic-mock --format json instances` shows it.",
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
    "Stay between the years 2002 and 2100.",
)
TOKEN_NOT_THERE = problem(
    "token-not-there",
    CallerError,
    "There is no token {token!r}.",
    "See `smartlic-mock token list`.",
)
API_CLIENT_UNKNOWN = problem(
    "api-client-unknown",
    CallerError,
    "There is no API client {client_id!r}.",
    "See `smartlic-mock api-client list`; give its whole client id.",
)
API_CLIENT_EXISTS = problem(
    "api-client-exists",
    CallerError,
    "The local account {account!r} has an API client {name!r} already.",
    "Use it, give it a new secret (`smartlic-mock api-client renew`), or choose another name.",
)
BAD_RATE_LIMIT = problem(
    "bad-rate-limit",
    CallerError,
    "{limit} is no number of calls a minute.",
    "Give a number from 1 to 1000000, or 0 for any number.",
)
