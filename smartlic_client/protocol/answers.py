"""What an answer means to a device: whether it can be believed, and what it changes.

An answer counts only if its signature leads to the trust anchor, and if nonce, request type, message id and
PIID are those of the request (agent, rule 5). What it carries is checked whole before any of it is taken.
"""

from __future__ import annotations

from typing import Final

import msgspec

from smartlic_client.errors import RefusedError, SmartlicError
from smartlic_client.protocol import errors, smart, timers, usage
from smartlic_client.protocol.machine import Machine, until_renewal
from smartlic_client.protocol.messages import (
    VERSIONS,
    Acknowledged,
    AnswerData,
    AuthorizationRequest,
    AuthorizationResult,
    DeregistrationRequest,
    HelloRequest,
    IdCertRenewalRequest,
    IdCertRenewalResult,
    LicenseUsageRequest,
    LicenseUsageResult,
    PollRequest,
    RegistrationRequest,
    RegistrationResult,
    Request,
    Result,
    TrustRequest,
    TrustResult,
    request_type,
)
from smartlic_client.protocol.record import Attempts, Identity
from smartlic_client.protocol.seals import REAL, Seals
from smartlic_client.protocol.states import (
    Authorization,
    AuthorizationEvent,
    RegistrationEvent,
    Trust,
    TrustEvent,
)

__all__ = ["Outgoing", "believed", "receive"]

# The public enforcement-mode-enum.
MODES: Final = frozenset(
    {
        "waiting",
        "in-compliance",
        "out-of-compliance",
        "overage",
        "evaluation",
        "evaluation-expired",
        "authorization-expired",
        "reservation-in-compliance",
        "invalid-tag",
        "disabled",
    }
)
_COMPLIANT: Final = frozenset({"in-compliance", "reservation-in-compliance"})


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One sending of a message: its bytes on the Smart transport, and what its answer must repeat."""

    request: Request
    nonce: str
    piid: str
    number: int
    body: bytes

    def __repr__(self) -> str:
        return f"Outgoing({request_type(self.request)}, {self.request.message_id})"


def believed(sent: Outgoing, body: bytes, anchors: bytes, now: float, seals: Seals = REAL) -> AnswerData:
    """The answer's data. Raises an AnswerError for anything that is no answer to `sent` (rule 5)."""
    try:
        signed = seals.decode_answer(body)
    except smart.Malformed as error:
        raise errors.ANSWER_UNREADABLE(why=str(error)) from None
    try:
        key = seals.verify_answer_chain(signed.certificates, anchors, now)
    except ValueError as error:
        raise errors.ANSWER_SIGNATURE(why=str(error)) from None
    if not seals.verify(key, signed.signed, signed.signature):
        raise errors.ANSWER_SIGNATURE(why="it does not fit the answer's text")
    header, data = signed.answer.header, signed.answer.data
    if header.nonce != sent.nonce:
        raise errors.ANSWER_MISMATCH(field="nonce")
    if header.request_type != request_type(sent.request):
        raise errors.ANSWER_MISMATCH(field="request type")
    if data.message_id != sent.request.message_id:
        raise errors.ANSWER_MISMATCH(field="message id")
    if sent.piid and header.product_instance_identifier != sent.piid:
        raise errors.ANSWER_MISMATCH(field="product instance identifier")
    return data


def receive(machine: Machine, sent: Outgoing, body: bytes, anchors: bytes, now: float) -> AnswerData | None:
    """As `Agent.receive`."""
    if (known := smart.decode_error_map(body)) is not None:
        _error_map(machine, sent, known, now)
        return None
    data = believed(sent, body, anchors, now, machine.seals)
    return take(machine, sent, data, now)


def take(machine: Machine, sent: Outgoing, data: AnswerData, now: float) -> AnswerData:
    """Apply an answer that is believed."""
    if isinstance(sent.request, HelloRequest):
        return data
    request = _meant(machine, sent)
    if data.status == "OK_TRY_AGAIN":
        raise errors.TRY_AGAIN(retry_after=data.retry_time_seconds)
    if data.status == "OK_POLL":
        if not data.poll_id or len(data.poll_id) > 255:
            raise _unreadable("it is to be asked for later, and does not say under which name")
        machine.record.poll_id = data.poll_id
        raise errors.ANSWER_LATER(retry_after=data.retry_time_seconds)
    if data.status == "VERSION_TOO_HIGH":
        _lower_version(machine, request, now)
    elif data.status == "FAILED":
        if isinstance(sent.request, PollRequest) and data.code == errors.POLL_UNKNOWN.code:
            machine.record.poll_id = None  # the server lost it: the message itself is sent again
            raise errors.TRY_AGAIN(retry_after=data.retry_time_seconds)
        _contact(machine, request, data.code or "FAILED", now)
        _refused(machine, request, errors.refusal(data.code, _words(request, data)), now)
    elif data.status in ("OK", "COMPLETE"):
        try:
            _accepted(machine, request, data.data, now)
        except RefusedError as error:  # believed, and of no use: sending it again would bring the same
            _contact(machine, request, error.code, now)
            _refused(machine, request, error, now)
    else:
        raise _unreadable(f"status {data.status!r} is none that this client knows")
    return data


def _meant(machine: Machine, sent: Outgoing) -> Request:
    """The message that the answer is for: a POLL asks for that of the message in flight."""
    if isinstance(sent.request, PollRequest) and machine.record.in_flight is not None:
        return machine.record.in_flight
    return sent.request


def _words(request: Request, data: AnswerData) -> str:
    """The server's own words; a token that it repeats goes into no record and no log."""
    secret = request.id_token if isinstance(request, (RegistrationRequest, TrustRequest)) else ""
    return data.status_message.replace(secret, "(the ID token)") if secret else data.status_message


def _unreadable(why: str) -> SmartlicError:
    return errors.ANSWER_UNREADABLE(why=why)


def _contact(machine: Machine, request: Request, outcome: str, now: float) -> None:
    """An answer was believed: the message has gone, and communication works."""
    record = machine.record
    record.in_flight = record.poll_id = None
    machine.note(request, outcome, now)
    if record.communication_failed:
        record.communication_failed = False
        machine.log("COMM_RESTORED", now)


def _lower_version(machine: Machine, request: Request, now: float) -> None:
    """One step down, and the same message again; below the lowest it is a refusal."""
    record = machine.record
    at = VERSIONS.index(record.protocol_version) if record.protocol_version in VERSIONS else len(VERSIONS)
    if at + 1 < len(VERSIONS):
        record.protocol_version = VERSIONS[at + 1]
        return
    _contact(machine, request, "VERSION_TOO_HIGH", now)
    _refused(machine, request, errors.VERSION_TOO_HIGH(), now)


# ---- refusals ---------------------------------------------------------------------------------------------
def _error_map(machine: Machine, sent: Outgoing, known: dict[str, list[str]], now: float) -> None:
    """The public error form: the server does not know the instance, or could not read the message."""
    if "product_instance_identifier" not in known or not sent.piid:
        words = "; ".join(f"{field}: {' '.join(texts)}" for field, texts in known.items())
        raise errors.MESSAGE_REJECTED(why=words[:300] or "an empty map")
    if isinstance(sent.request, HelloRequest):
        raise errors.NOT_REGISTERED_THERE()  # the next message that means something brings it home
    request = _meant(machine, sent)
    _contact(machine, request, errors.NOT_REGISTERED_THERE.code, now)
    if isinstance(request, DeregistrationRequest):
        machine.unregistered(RegistrationEvent.DEREGISTERED, now)
        return
    _refused(machine, request, errors.NOT_REGISTERED_THERE(), now)


def _refused(machine: Machine, request: Request, error: SmartlicError, now: float) -> None:
    """The message has gone; the failure stands until something changes. Always raises."""
    record = machine.record
    attempts, why, to_report = machine.attempts(request), error.sentence, record.to_report
    attempts.tries = 0
    if isinstance(request, RegistrationRequest):
        record.new_key = None
        if (identity := record.identity) is None:
            machine.registration(RegistrationEvent.REFUSED, now, reason=why)
        else:
            left = until_renewal(identity, now)
            machine.registration(RegistrationEvent.REFUSED_BUT_REGISTERED, now, delay=left, reason=why)
    elif isinstance(request, (TrustRequest, LicenseUsageRequest)):
        _usage_refused(machine, request, error, now)
    elif error.code == errors.NOT_REGISTERED_THERE.code:
        machine.unregistered(RegistrationEvent.FORGOTTEN, now, reason=why)
        attempts = record.registering
    elif isinstance(request, IdCertRenewalRequest):
        machine.registration(RegistrationEvent.RENEWAL_REFUSED, now, reason=why)
    elif isinstance(request, DeregistrationRequest):
        attempts.next = now + timers.STANDING
    else:
        machine.authorization(AuthorizationEvent.REFUSED, now, reason=why)
        record.to_report = to_report or isinstance(request, AuthorizationRequest)
    attempts.last = now
    attempts.failure = error.as_dict()
    raise error


def _usage_refused(machine: Machine, request: Request, error: SmartlicError, now: float) -> None:
    """Reports stay, also where the server has forgotten the device and a new trust code is needed."""
    record, kept = machine.record, machine.record.usage
    forgotten = error.code == errors.NOT_REGISTERED_THERE.code
    if kept is not None:
        kept.reporting.next = now + timers.STANDING
        if forgotten:
            kept.identity = kept.trust_code = kept.reporting.next = None
    if isinstance(request, TrustRequest):
        record.new_key = None
        stands = kept is not None and kept.identity is not None
        event = TrustEvent.REFUSED_BUT_INSTALLED if stands else TrustEvent.REFUSED
        machine.trust(Trust.ASKED, event, now, reason=error.sentence)
    elif forgotten:
        machine.trust(Trust.INSTALLED, TrustEvent.FORGOTTEN, now)
    machine.not_supported(error, now)


# ---- what was granted -------------------------------------------------------------------------------------
def _accepted(machine: Machine, request: Request, result: Result | None, now: float) -> None:
    if isinstance(request, RegistrationRequest) and isinstance(result, RegistrationResult):
        _registered(machine, request, result, now)
    elif isinstance(request, AuthorizationRequest) and isinstance(result, AuthorizationResult):
        _authorized(machine, request, result, now)
    elif isinstance(request, IdCertRenewalRequest) and isinstance(result, IdCertRenewalResult):
        _renewed(machine, request, result, now)
    elif isinstance(request, DeregistrationRequest) and isinstance(result, Acknowledged):
        _contact(machine, request, "OK", now)
        machine.unregistered(RegistrationEvent.DEREGISTERED, now)
    elif isinstance(request, TrustRequest) and isinstance(result, TrustResult):
        _trusted(machine, request, result, now)
    elif isinstance(request, LicenseUsageRequest) and isinstance(result, LicenseUsageResult):
        _contact(machine, request, "OK", now)
        if (kept := machine.record.usage) is not None:
            kept.reporting = Attempts(last=now, succeeded=now)
        usage.acknowledged(machine, result, now)
    else:
        raise _unreadable("it lacks the data that this request gets")


def _certificate(machine: Machine, text: str, key_pem: str, now: float) -> tuple[str, float, float]:
    """Serial number and validity of an ID certificate for our key. Raises an AnswerError."""
    try:
        certified = machine.seals.certified(text, machine.key(key_pem))
    except ValueError:
        raise _unreadable("its ID certificate is none") from None
    if not certified.fits:
        raise errors.ANSWER_MISMATCH(field="certificate's key")
    if now >= certified.ends:
        raise errors.CERTIFICATE_ENDED()
    return certified.serial, certified.begins, certified.ends


def _identity(machine: Machine, result: RegistrationResult | TrustResult, now: float) -> Identity:
    """What came with the certificate for our new key. Raises an AnswerError."""
    record = machine.record
    if record.new_key is None:
        raise errors.ANSWER_MISMATCH(field="certificate")
    serial, begins, ends = _certificate(machine, result.id_certificate, record.new_key, now)
    return Identity(
        piid=result.product_instance_identifier,
        key=record.new_key,
        certificate=result.id_certificate,
        chain=result.id_certificate_chain,
        serial_number=serial,
        valid_from=begins,
        valid_until=ends,
        smart_account=result.smart_account,
        virtual_account=result.virtual_account,
        export_controlled_allowed=result.export_controlled_allowed,
        registered_at=now,
    )


def _trusted(machine: Machine, request: TrustRequest, result: TrustResult, now: float) -> None:
    record = machine.record
    identity = _identity(machine, result, now)
    _contact(machine, request, "OK", now)
    record.new_key = None
    if record.usage is None:
        return
    record.usage.identity, record.usage.trust_code, record.usage.trusted_at = identity, result.trust_code, now
    record.usage.trusting = Attempts(last=now, succeeded=now)
    machine.trust(Trust.ASKED, TrustEvent.GRANTED, now)
    if result.policy is not None:
        usage.take_policy(machine, result.policy, now)
    usage.enqueue(record.usage, now)


def _registered(machine: Machine, request: Request, result: RegistrationResult, now: float) -> None:
    record = machine.record
    record.identity = _identity(machine, result, now)
    _contact(machine, request, "OK", now)
    record.new_key = record.certificate_warned = record.outside_since = None
    record.to_report = record.to_renew = False
    record.registering = Attempts(last=now, succeeded=now)
    allowed = "allowed" if result.export_controlled_allowed else "not allowed"
    delay = until_renewal(record.identity, now)
    machine.registration(RegistrationEvent.ACCEPTED, now, delay=delay, allowed=allowed)
    due = 0.0 if record.to_report else timers.AUTHORIZATION_RENEWAL
    record.authorizing = Attempts(next=now + due)


def _renewed(machine: Machine, request: Request, result: IdCertRenewalResult, now: float) -> None:
    record = machine.record
    if record.identity is None:
        raise errors.ANSWER_MISMATCH(field="certificate")
    serial, begins, ends = _certificate(machine, result.id_certificate, record.identity.key, now)
    _contact(machine, request, "OK", now)
    record.identity = msgspec.structs.replace(
        record.identity,
        certificate=result.id_certificate,
        chain=result.id_certificate_chain,
        serial_number=serial,
        valid_from=begins,
        valid_until=ends,
        renewed_at=now,
    )
    record.certificate_warned = record.outside_since = None
    record.registering = Attempts(last=now, succeeded=now)
    machine.registration(RegistrationEvent.RENEWED, now, delay=timers.renewal_at(now, ends) - now)


def _authorized(
    machine: Machine, request: AuthorizationRequest, result: AuthorizationResult, now: float
) -> None:
    record = machine.record
    modes = _modes(request, result)
    renewal, expiry = _intervals(result)
    _contact(machine, request, "OK", now)
    for told in request.entitlements:
        kept = record.entitlements.get(told.tag)
        if kept is None or kept.count != told.count:
            continue  # it changed while the message was in flight: the next one tells
        if kept.count == 0:
            del record.entitlements[told.tag]
        else:
            kept.enforcement_mode = modes[told.tag]
    in_use = [used.tag for used in request.entitlements if used.count]
    if not in_use:
        event = AuthorizationEvent.NOTHING_IN_USE
    elif all(modes[tag] in _COMPLIANT for tag in in_use):
        event = AuthorizationEvent.IN_COMPLIANCE
    else:
        event = AuthorizationEvent.OUT_OF_COMPLIANCE
        renewal = min(renewal, timers.OUT_OF_COMPLIANCE)
    record.authorizing = Attempts(last=now, succeeded=now)
    record.deadline = now + expiry
    machine.authorization(event, now, delay=renewal)
    changed = any(used.count for used in record.entitlements.values())
    if record.authorization is Authorization.NONE and changed:  # since the message was made
        machine.authorization(AuthorizationEvent.USED, now)
    elif record.to_report:
        record.authorizing.next = now + timers.COALESCE


def _modes(request: AuthorizationRequest, result: AuthorizationResult) -> dict[str, str]:
    """Tag → enforcement mode, for all that was told. Raises answer-unreadable."""
    modes: dict[str, str] = {}
    for enforced in result.entitlements:
        if enforced.enforcement_mode not in MODES:
            raise _unreadable(f"it knows an enforcement mode {enforced.enforcement_mode[:60]!r}")
        if modes.setdefault(enforced.tag, enforced.enforcement_mode) != enforced.enforcement_mode:
            raise _unreadable("it has two enforcement modes for one license")
    if any(told.tag not in modes for told in request.entitlements):
        raise _unreadable("it has no enforcement mode for a license that was told")
    return modes


def _intervals(result: AuthorizationResult) -> tuple[float, float]:
    """Seconds to the next renewal and the deadline; a server may shorten ours. Raises answer-unreadable."""
    renewal, expiry = result.renewal_interval_seconds, result.expiry_interval_seconds
    if renewal <= 0 or expiry < renewal:
        raise _unreadable(f"it wants a renewal after {renewal} s and no contact for {expiry} s")
    shortest = timers.SHORTEST_RENEWAL
    bounded = min(max(float(renewal), shortest), timers.AUTHORIZATION_RENEWAL)
    return bounded, min(max(float(expiry), bounded), timers.AUTHORIZATION_DEADLINE)
