"""What a licensing server can refuse, and what an agent can object to.

Each refusal has our code, and a name and number of the public agent error list where one fits
(protocol, "Messages on the Smart transport"). The number travels as `status_code`, our code beside it.
"""

from __future__ import annotations

from typing import Final

from smartlic_client.errors import (
    AnswerError,
    CallerError,
    CommunicationError,
    Problem,
    RefusedError,
    SmartlicError,
    problem,
)

__all__ = ["AGENT_ERRORS", "REFUSALS", "agent_error", "refusal"]

# ---- what the server says no to ---------------------------------------------------------------------------
TOKEN_INVALID = problem(
    "token-invalid",
    RefusedError,
    "The server could not read the ID token.",
    "Copy the whole token again from the server, and register with it.",
)
TOKEN_UNKNOWN = problem(
    "token-unknown",
    RefusedError,
    "The server does not know this ID token: it was made on another server, or it has been removed.",
    "Make a token on this server (`smartlic-mock token create` on the mock) and register with it.",
)
TOKEN_EXPIRED = problem(
    "token-expired",
    RefusedError,
    "The ID token has expired.",
    "Make a new token on the server and register with it.",
)
TOKEN_USED_UP = problem(
    "token-used-up",
    RefusedError,
    "The ID token has been used as often as it allows.",
    "Make a new token, or one with more uses, and register with it.",
)
TOKEN_REVOKED = problem(
    "token-revoked",
    RefusedError,
    "The ID token has been revoked on the server.",
    "Make a new token on the server and register with it.",
)
ALREADY_REGISTERED = problem(
    "already-registered",
    RefusedError,
    "The server already has a product instance with this identity, registered with another key.",
    "If this device is meant to replace it, register again with --force.",
)
ACCOUNT_INACTIVE = problem(
    "account-inactive",
    RefusedError,
    "The local account on the server is not active.",
    "Have the local account activated on the server, then try again.",
)
NOT_REGISTERED_THERE = problem(
    "identity-not-valid",
    RefusedError,
    "The server no longer knows this product instance.",
    "Register again with an ID token: the instance was removed or replaced on the server.",
)
BAD_SIGNATURE = problem(
    "signature-not-valid",
    RefusedError,
    "The server could not verify the signature of the message.",
    "Register again with --force: the key on this device is not the one that the server certified.",
)
CSR_NOT_VALID = problem(
    "csr-not-valid",
    RefusedError,
    "The certificate request in the registration is not valid, or its key is too weak.",
    "Use an ECDSA P-256 or an RSA key of 2048 bits or more.",
)
SUPERSEDED = problem(
    "superseded",
    RefusedError,
    "The server has already applied a later message of this product instance.",
    "If the device's folder was restored from an older copy, register again with --force.",
)
MESSAGE_ID_REUSED = problem(
    "message-id-reused",
    RefusedError,
    "The server has seen this message id with another content or another key.",
    "Two devices may share one folder's copy: give each its own, and register it again.",
)
MESSAGE_MALFORMED = problem(
    "message-malformed",
    RefusedError,
    "The server could not read the message.",
    "Check that the destination URL fits the transport, and that client and server are of the same release.",
)
OTHER_ACCOUNT = problem(
    "other-account",
    RefusedError,
    "The ID token or the product instance belongs to another local account than the destination URL.",
    "Use the CSLU URL of that local account, or an ID token of the account that the URL names.",
)
OTHER_MODE = problem(
    "other-mode",
    RefusedError,
    "The server has this product instance in the other mode: registered, or Smart Licensing Using Policy.",
    "Registered devices report counts; usage reports need a trust code. Register or trust it with --force.",
)
VERSION_TOO_HIGH = problem(
    "version-too-high",
    RefusedError,
    "The server does not speak this version of the protocol.",
    "Update the server, or use an older release of the client.",
)
CERTIFICATE_ENDED = problem(
    "id-certificate-ended",
    RefusedError,
    "The ID certificate in the server's answer has ended already, by this device's clock.",
    "Check the clocks of device and server, then register again.",
)
POLL_UNKNOWN = problem(
    "poll-unknown",
    RefusedError,
    "The server does not know the answer that was asked for.",
    "Nothing to do: the device sends the message itself again.",
)
UNEXPECTED_FAILURE = problem(
    "server-failed",
    RefusedError,
    "The server refused the message: {status_message}",
    "Look at the server's event log.",
)

# ---- what the agent says no to ----------------------------------------------------------------------------
REGISTERED_ALREADY = problem(
    "registered-already",
    CallerError,
    "This device is registered already, as {piid}.",
    "Nothing to do; or `register --force` to replace the registration, `register --if-needed` in automation.",
)
NOT_REGISTERED = problem(
    "not-registered",
    CallerError,
    "This device is not registered.",
    "Register it first: smartlic register --token -",
)
TOKEN_NEEDED = problem(
    "token-needed",
    CallerError,
    "An ID token is needed to register.",
    "Make one on the server and give it by --token - (standard input), --token FILE, or at the prompt.",
)
BAD_COUNT = problem(
    "bad-count",
    CallerError,
    "{count} is not a count of licenses.",
    "Give a whole number from 0 to 2147483647; 0 releases the license.",
)
TOO_MANY = problem(
    "too-many-entitlements",
    CallerError,
    "A device can use {limit} different licenses, and this one does.",
    "Release one that is not needed.",
)
NOT_IN_USE = problem(
    "entitlement-not-in-use",
    CallerError,
    "This device does not use {tag}.",
    "See `smartlic show usage` for what it uses.",
)

USES_POLICY = problem(
    "uses-policy",
    CallerError,
    "This device uses Smart Licensing Using Policy, which needs no registration.",
    "Give it a trust code instead (`trust`), or make a device that registers.",
)
NO_POLICY = problem(
    "uses-no-policy",
    CallerError,
    "This device registers; it does not use Smart Licensing Using Policy.",
    "Register it, or make a device that uses policies.",
)
TRUSTED_ALREADY = problem(
    "trusted-already",
    CallerError,
    "This device has a trust code already.",
    "Nothing to do; force replaces it.",
)
BAD_INTERVAL = problem(
    "bad-interval",
    CallerError,
    "{days} is not an interval of usage reports.",
    "Give a number of days from 1 to 365.",
)
EXPORT_NOT_ALLOWED = problem(
    "export-controlled-not-allowed",
    CallerError,
    "This device may not use export-controlled features.",
    "Register it with an ID token that allows them.",
)

# ---- answers that come later ------------------------------------------------------------------------------
TRY_AGAIN = problem(
    "server-asks-for-time",
    CommunicationError,
    "The server asks to try again later.",
    "Nothing to do: the message stays and is sent again.",
)
ANSWER_LATER = problem(
    "answer-not-ready",
    CommunicationError,
    "The server has the message, and needs time for its answer.",
    "Nothing to do: the answer is asked for again.",
)

# ---- answers that cannot be believed ----------------------------------------------------------------------
ANSWER_UNREADABLE = problem(
    "answer-unreadable",
    AnswerError,
    "The answer is none of a licensing server: {why}.",
    "Check the destination URL: host, port, and the path of the transport.",
)
MESSAGE_REJECTED = problem(
    "message-rejected",
    AnswerError,
    "The server rejected the message unread: {why}",
    "Check that the destination URL fits the transport, and that client and server are of the same release.",
)
ANSWER_SIGNATURE = problem(
    "answer-signature-not-valid",
    AnswerError,
    "The answer's signature is not valid: {why}.",
    "The server may have been replaced: check its trust anchor. The message stays and is sent again.",
)
ANSWER_MISMATCH = problem(
    "answer-mismatch",
    AnswerError,
    "The answer belongs to another message: its {field} differs.",
    "A proxy may answer from a cache. The message stays and is sent again.",
)

# Our code → (number, name) of the public agent error list.
AGENT_ERRORS: Final[dict[str, tuple[int, str]]] = {
    "already-registered": (40, "alreadyregistered"),
    "identity-not-valid": (43, "notregistered"),
    "signature-not-valid": (45, "verifysignaturefailed"),
    "csr-not-valid": (47, "signcertverificationfailed"),
    "message-malformed": (36, "reqmsgmissingmandatoryfield"),
    "version-too-high": (127, "versionmismatchinregresponse"),
    "superseded": (28, "matchidentifier"),
    "message-id-reused": (28, "matchidentifier"),
}
_OTHER = (37, "responsefailed")

# What may come over the wire. This process may know other problems of the kind; they are no answers.
REFUSALS: Final[dict[str, Problem]] = {
    known.code: known
    for known in (
        TOKEN_INVALID,
        TOKEN_UNKNOWN,
        TOKEN_EXPIRED,
        TOKEN_USED_UP,
        TOKEN_REVOKED,
        ALREADY_REGISTERED,
        ACCOUNT_INACTIVE,
        NOT_REGISTERED_THERE,
        BAD_SIGNATURE,
        CSR_NOT_VALID,
        SUPERSEDED,
        MESSAGE_ID_REUSED,
        MESSAGE_MALFORMED,
        VERSION_TOO_HIGH,
        POLL_UNKNOWN,
        OTHER_ACCOUNT,
        OTHER_MODE,
    )
}


def agent_error(code: str) -> tuple[int, str]:
    """Number and name of the public list for our code; `responsefailed` where none fits."""
    return AGENT_ERRORS.get(code, _OTHER)


def refusal(code: str | None, status_message: str) -> SmartlicError:
    """The error for a refusal that came over the wire: ours if the code is known, else a general one."""
    known = REFUSALS.get(code or "")
    return known() if known is not None else UNEXPECTED_FAILURE(status_message=status_message[:500])
