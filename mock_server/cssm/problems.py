"""All that CSSM says no to, and that can be wrong on the way to it."""

from __future__ import annotations

from mock_server.errors import BusyError, CallerError, CommunicationError, RefusedError, problem

CSSM_UNREACHABLE = problem(
    "cssm-unreachable",
    CommunicationError,
    "The mock Cisco Smart Software Manager cannot be reached: {why}.",
    "See `smartlic-mock cssm status`; if it is stopped, start it: `smartlic-mock cssm start`. Without it: "
    "synchronize by file.",
)
CSSM_TIMEOUT = problem(
    "cssm-timeout",
    CommunicationError,
    "The mock Cisco Smart Software Manager did not answer within {seconds:g} seconds.",
    "It is tried again by itself; `smartlic-mock cssm status` shows whether it was slowed on purpose.",
)
CSSM_REFUSES = problem(
    "cssm-refuses",
    RefusedError,
    "The mock Cisco Smart Software Manager refuses: {reason}.",
    "It was made to (`smartlic-mock cssm refuse`); `smartlic-mock cssm faults --clear` ends that.",
)
ROOT_UNUSABLE = problem(
    "cssm-root-unusable",
    RefusedError,
    "The licensing root {path} cannot be used: {why}.",
    "Restore root.pem and root.key. A new root would be one that no product trusts.",
)
STORE_UNUSABLE = problem(
    "cssm-store-unusable",
    CallerError,
    "The state of the mock CSSM, {path}, cannot be read: {why}.",
    "Restore the file, or move it away to begin with none: purchases and smart accounts are then gone.",
)
STORE_NEWER = problem(
    "cssm-store-newer",
    CallerError,
    "The state of the mock CSSM, {path}, has format {found}; this release knows {known}.",
    "Use the release that wrote it, or a newer one.",
)
STORE_FAILED = problem(
    "cssm-store-failed",
    CommunicationError,
    "The mock CSSM cannot keep the change: {why}.",
    "Nothing was changed. Make room on the disk of {path}, and ask again.",
)
STORE_IN_USE = problem(
    "cssm-store-in-use",
    BusyError,
    "Another process serves the mock CSSM of {folder}.",
    "Use that one, or end it first.",
)
SMART_ACCOUNT_UNKNOWN = problem(
    "smart-account-unknown",
    RefusedError,
    "CSSM has no smart account {smart_account!r}.",
    "Create it (`smartlic-mock cssm smart-account create`), or let CSSM make what is asked for: "
    "`smartlic-mock cssm strict off`.",
)
CSSM_VIRTUAL_ACCOUNT_UNKNOWN = problem(
    "cssm-virtual-account-unknown",
    RefusedError,
    "The smart account {smart_account!r} has no virtual account {virtual_account!r} in CSSM.",
    "Create it (`smartlic-mock cssm virtual-account create`), or let CSSM make what is asked for: "
    "`smartlic-mock cssm strict off`.",
)
EXISTS = problem(
    "cssm-exists",
    CallerError,
    "CSSM has {what} {name!r} already.",
    "Use it, or choose another name.",
)
TAKEN = problem(
    "cssm-virtual-account-taken",
    RefusedError,
    "{smart_account} / {virtual_account} is registered for {account!r} of the cluster {cluster} in CSSM.",
    "Give the local account a virtual account of its own, or end that registration: `smartlic-mock cssm "
    "on-prem remove`.",
)
REGISTERED_ELSEWHERE = problem(
    "cssm-registered-elsewhere",
    RefusedError,
    "The local account {account!r} is registered for {smart_account} / {virtual_account} in CSSM.",
    "Keep to that, or end that registration: `smartlic-mock cssm on-prem remove`.",
)
ON_PREM_UNKNOWN = problem(
    "on-prem-unknown",
    CallerError,
    "No SSM On-Prem account {account!r} is registered in CSSM.",
    "See `smartlic-mock cssm on-prem list`.",
)
PURCHASE_UNKNOWN = problem(
    "purchase-unknown",
    CallerError,
    "There is no purchase {purchase!r} in CSSM.",
    "See `smartlic-mock cssm purchase list`.",
)
BAD_PURCHASE = problem(
    "bad-purchase",
    CallerError,
    "This cannot be bought: {why}.",
    "See `smartlic-mock cssm purchase add --help`.",
)
BAD_FAULT = problem(
    "bad-fault",
    CallerError,
    "This cannot be done to the mock CSSM: {why}.",
    "See `smartlic-mock cssm --help`.",
)
