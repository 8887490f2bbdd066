"""The agent: the device's side of the protocol, without any input or output.

Rules (protocol, "Exactly once, over failover"), cited below by number:
 1. What the agent means to say is in its record before it is sent, and stays there until an answer with that
    message id has been applied. De-registering, which wipes, is the one exception.
 2. One message is in flight. A repeat carries the same message id and sequence and a new nonce.
 3. Each new message carries a strictly rising sequence.
 4. Counts are absolute: a repeat, or a later message, never adds.
 5. An answer counts only if its signature leads to the trust anchor and nonce, request type, message id and
    PIID are those of the request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from smartlic_client.errors import SmartlicError
from smartlic_client.protocol import errors, signing, smart, timers
from smartlic_client.protocol.identity import MAX_COUNT, IdToken, entitlement_tag, new_uuid
from smartlic_client.protocol.messages import (
    MAX_ENTITLEMENTS,
    Acknowledged,
    AnswerData,
    AuthorizationRequest,
    AuthorizationResult,
    DeregistrationRequest,
    EntitlementUse,
    HelloRequest,
    RegistrationRequest,
    RegistrationResult,
    Request,
    RequestHeader,
    Sudi,
    request_type,
)
from smartlic_client.protocol.record import Attempts, Entitlement, Identity, Record
from smartlic_client.protocol.states import (
    AUTHORIZATION,
    REGISTRATION,
    Authorization,
    AuthorizationEvent,
    Registration,
    RegistrationEvent,
)

__all__ = ["Agent", "Outgoing"]

RandomBytes = Callable[[int], bytes]


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One sending of a message: its bytes on the Smart transport, and what its answer must repeat."""

    request: Request
    nonce: str
    piid: str
    number: int
    body: bytes

    def __repr__(self) -> str:
        return f"Outgoing({request_type(self.request)}, {self.request.message_id})"


class Agent:
    """One product instance. Every method changes `record` only; times are Unix seconds."""

    def __init__(self, record: Record) -> None:
        self.record = record

    # ---- what the device's owner wants --------------------------------------------------------------------
    def register(
        self, token: IdToken, key: signing.PrivateKey, random: RandomBytes, force: bool = False
    ) -> None:
        """Mean to register with `token` and the new `key`. Raises registered-already unless `force`.

        A registration that is still in flight has to be answered first: it may have been accepted (rule 1).
        """
        record = self.record
        if record.identity is not None and not force:
            raise errors.REGISTERED_ALREADY(piid=record.identity.piid)
        if isinstance(record.in_flight, RegistrationRequest):
            raise RuntimeError("a registration is in flight")
        if isinstance(record.in_flight, AuthorizationRequest):
            record.to_report = True
        self._registration(RegistrationEvent.ASKED)
        record.new_key = signing.dump_key(key)
        record.registering = Attempts()
        record.in_flight = RegistrationRequest(
            **self._common(random),
            id_token=token.reveal(),
            csr=signing.make_csr(key, str(record.udi)),
            force=force,
        )

    def request(self, tag: str, count: int, now: float) -> None:
        """Use `count` licenses of `tag` from now on: the absolute count; 0 releases it (rule 4)."""
        if not 0 <= count <= MAX_COUNT:
            raise errors.BAD_COUNT(count=count)
        record = self.record
        known = record.entitlements.get(entitlement_tag(tag))
        if count == 0 and known is None:
            raise errors.NOT_IN_USE(tag=tag)
        if known is not None and known.count == count and not self._waiting(known):
            return
        if known is None and len(record.entitlements) >= MAX_ENTITLEMENTS:
            raise errors.TOO_MANY(limit=MAX_ENTITLEMENTS)
        mode = "waiting" if record.identity is not None else "evaluation"
        record.entitlements[tag] = Entitlement(count=count, enforcement_mode=mode)
        record.to_report = True
        if self._in_use():
            self._authorization(AuthorizationEvent.USED, now)
            return
        if record.identity is None or record.authorization is Authorization.EVAL:
            self._authorization(AuthorizationEvent.RELEASED, now)
        if record.identity is None:
            record.entitlements.clear()
            record.to_report = False

    def release(self, tag: str, now: float) -> None:
        self.request(tag, 0, now)

    def report(self) -> None:
        """Mean to tell the server the counts, changed or not."""
        if self.record.identity is None:
            raise errors.NOT_REGISTERED()
        self.record.to_report = True

    def deregister(self, random: RandomBytes) -> None:
        """Mean to de-register. It outruns a report in flight, whose counts end with the instance anyway."""
        if self.record.identity is None:
            raise errors.NOT_REGISTERED()
        if not isinstance(self.record.in_flight, DeregistrationRequest):
            self.record.in_flight = DeregistrationRequest(**self._common(random))

    def forget(self, now: float) -> None:
        """Wipe the registration without an answer: de-registering never leaves local data behind."""
        self._unregistered(RegistrationEvent.DEREGISTERED, now)

    # ---- what goes out and what comes in ------------------------------------------------------------------
    def next_request(self, now: float, random: RandomBytes) -> Outgoing | None:
        """The next thing to send, None when there is nothing. Save the record before sending it (rule 1)."""
        record = self.record
        if record.in_flight is None and record.to_report and record.identity is not None:
            used = [EntitlementUse(tag=t, count=e.count) for t, e in record.entitlements.items()]
            record.in_flight = AuthorizationRequest(**self._common(random), entitlements=used)
            record.to_report = False
        if record.in_flight is None:
            return None
        if isinstance(record.in_flight, RegistrationRequest):
            self._registration(RegistrationEvent.SENT_AGAIN)
            record.registering.last = now
        else:
            record.authorizing.last = now
        return self._outgoing(record.in_flight, now, random)

    def hello(self, now: float, random: RandomBytes) -> Outgoing:
        """A HELLO: asks nothing, changes nothing, is not kept."""
        common = self._common(random, sequence=max(1, self.record.sequence))
        return self._outgoing(HelloRequest(**common), now, random)

    def lost(self, error: SmartlicError, now: float) -> None:
        """Sending failed, or the answer could not be believed. What was meant stays meant (rule 1)."""
        attempts = self._attempts()
        attempts.failure = error.as_dict()
        attempts.last = now
        if self.record.registration is Registration.IN_PROGRESS:
            self._registration(RegistrationEvent.LOST)

    def receive(self, sent: Outgoing, body: bytes, anchors: bytes, now: float) -> AnswerData | None:
        """Apply the answer to `sent`, given in the form of the Smart transport.

        Returns the answer's data; None where the server had forgotten an instance that de-registers.
        Raises an AnswerError where it cannot be believed: the message stays in flight. Raises a RefusedError
        where the server said no: that is an answer, the message has gone from the record.
        """
        if (known := smart.decode_error_map(body)) is not None:
            self._refused_by_map(sent, known, now)
            return None
        data = self._believed(sent, body, anchors, now)
        if isinstance(sent.request, HelloRequest):
            return data
        if data.status == "FAILED":
            self._refused(sent.request, errors.refusal(data.code, data.status_message), now)
        elif data.status == "VERSION_TOO_HIGH":
            self._refused(sent.request, errors.VERSION_TOO_HIGH(), now)
        elif data.status in ("OK", "COMPLETE"):
            self._accepted(sent, data, now)
        else:
            raise errors.ANSWER_UNREADABLE(why=f"status {data.status!r} is none that this client knows")
        return data

    # ---- sending ------------------------------------------------------------------------------------------
    def _common(self, random: RandomBytes, sequence: int | None = None) -> dict[str, Any]:
        record = self.record
        if sequence is None:
            record.sequence += 1  # rule 3
        return {
            "message_id": new_uuid(random),
            "sequence": record.sequence if sequence is None else sequence,
            "software_tag_identifier": record.software_id,
            "hostname": record.hostname,
            "custom_id": record.custom_id,
        }

    def _outgoing(self, request: Request, now: float, random: RandomBytes) -> Outgoing:
        record = self.record
        record.sent += 1
        nonce = str(int.from_bytes(random(8), "big"))
        registering = isinstance(request, RegistrationRequest)
        identity = None if registering else record.identity
        pem = record.new_key if registering else identity.key if identity else None
        header = RequestHeader(
            sudi=Sudi.of(record.udi),
            nonce=nonce,
            request_type=request_type(request),
            product_instance_identifier=identity.piid if identity else "",
            id_cert_serial_number=identity.serial_number if identity else None,
        )
        stamped = msgspec.structs.replace(request, nonce=nonce, timestamp=int(now * 1000))
        key = signing.load_key(pem) if pem else None
        body = smart.encode_request(header, stamped, (lambda data: signing.sign(key, data)) if key else None)
        return Outgoing(
            request=request,
            nonce=nonce,
            piid=header.product_instance_identifier,
            number=record.sent,
            body=body,
        )

    # ---- answers ------------------------------------------------------------------------------------------
    @staticmethod
    def _believed(sent: Outgoing, body: bytes, anchors: bytes, now: float) -> AnswerData:
        """Rule 5."""
        try:
            signed = smart.decode_answer(body)
        except smart.Malformed as error:
            raise errors.ANSWER_UNREADABLE(why=str(error)) from None
        try:
            key = signing.verify_answer_chain(signed.certificates, anchors, now)
        except ValueError as error:
            raise errors.ANSWER_SIGNATURE(why=str(error)) from None
        if not signing.verify(key, signed.signed, signed.signature):
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

    def _refused_by_map(self, sent: Outgoing, known: dict[str, list[str]], now: float) -> None:
        if "product_instance_identifier" not in known or not sent.piid:
            words = "; ".join(f"{field}: {' '.join(texts)}" for field, texts in known.items())
            raise errors.MESSAGE_REJECTED(why=words[:300] or "an empty map")
        if isinstance(sent.request, DeregistrationRequest):
            self._unregistered(RegistrationEvent.DEREGISTERED, now)
            return
        if isinstance(sent.request, HelloRequest):
            raise errors.NOT_REGISTERED_THERE()  # the next message that means something brings it home
        self._refused(sent.request, errors.NOT_REGISTERED_THERE(), now)

    def _refused(self, request: Request, error: SmartlicError, now: float) -> None:
        record = self.record
        attempts = self._attempts()
        record.in_flight = None
        if isinstance(request, RegistrationRequest):
            record.new_key = None
            stands = record.identity is not None
            event = RegistrationEvent.REFUSED_BUT_REGISTERED if stands else RegistrationEvent.REFUSED
            self._registration(event)
            if record.identity is not None:
                record.registering.next = record.identity.registered_at + timers.ID_CERTIFICATE_RENEWAL
        elif error.code == errors.NOT_REGISTERED_THERE.code:
            self._unregistered(RegistrationEvent.FORGOTTEN, now)
            attempts = record.registering
        elif isinstance(request, AuthorizationRequest):
            record.to_report = True
        attempts.last = now
        attempts.failure = error.as_dict()
        raise error

    def _accepted(self, sent: Outgoing, data: AnswerData, now: float) -> None:
        request, result = sent.request, data.data
        if isinstance(request, RegistrationRequest) and isinstance(result, RegistrationResult):
            self._registered(result, now)
        elif isinstance(request, AuthorizationRequest) and isinstance(result, AuthorizationResult):
            self._authorized(request, result, now)
        elif isinstance(request, DeregistrationRequest) and isinstance(result, Acknowledged):
            self._unregistered(RegistrationEvent.DEREGISTERED, now)
        else:
            raise errors.ANSWER_UNREADABLE(why="it lacks the data that this request gets")

    def _registered(self, result: RegistrationResult, now: float) -> None:
        record = self.record
        if record.new_key is None:
            raise errors.ANSWER_MISMATCH(field="certificate")
        try:
            certificate, certified = signing.read_certificate(result.id_certificate)
        except ValueError:
            raise errors.ANSWER_UNREADABLE(why="its ID certificate is none") from None
        ours = signing.load_key(record.new_key).public_key()
        if certified != ours:
            raise errors.ANSWER_MISMATCH(field="certificate's key")
        record.identity = Identity(
            piid=result.product_instance_identifier,
            key=record.new_key,
            certificate=result.id_certificate,
            chain=result.id_certificate_chain,
            serial_number=f"{certificate.serial_number:x}",
            valid_from=certificate.not_valid_before_utc.timestamp(),
            valid_until=certificate.not_valid_after_utc.timestamp(),
            smart_account=result.smart_account,
            virtual_account=result.virtual_account,
            export_controlled_allowed=result.export_controlled_allowed,
            registered_at=now,
        )
        record.new_key = record.in_flight = None
        renewal = now + timers.ID_CERTIFICATE_RENEWAL
        record.registering = Attempts(last=now, succeeded=now, next=renewal)
        record.authorizing = Attempts()
        record.to_report = bool(record.entitlements)
        self._registration(RegistrationEvent.ACCEPTED)

    def _authorized(self, request: AuthorizationRequest, result: AuthorizationResult, now: float) -> None:
        record = self.record
        modes = {enforced.tag: enforced.enforcement_mode for enforced in result.entitlements}
        for told in request.entitlements:
            kept = record.entitlements.get(told.tag)
            if kept is None or kept.count != told.count:
                continue  # it changed while the message was in flight: the next one tells
            if kept.count == 0:
                del record.entitlements[told.tag]
            else:
                kept.enforcement_mode = modes.get(told.tag, "waiting")
        record.in_flight = None
        next_at = now + result.renewal_interval_seconds
        record.authorizing = Attempts(last=now, succeeded=now, next=next_at)
        record.deadline = now + result.expiry_interval_seconds
        in_use = [used.tag for used in request.entitlements if used.count]
        if not in_use:
            event = AuthorizationEvent.RELEASED
        elif all(modes.get(tag) == "in-compliance" for tag in in_use):
            event = AuthorizationEvent.IN_COMPLIANCE
        else:
            event = AuthorizationEvent.OUT_OF_COMPLIANCE
        self._authorization(event, now)
        if not in_use and self._in_use():  # since the message was made
            self._authorization(AuthorizationEvent.USED, now)

    # ---- the machines -------------------------------------------------------------------------------------
    def _registration(self, event: RegistrationEvent) -> None:
        self.record.registration = REGISTRATION[self.record.registration, event]

    def _authorization(self, event: AuthorizationEvent, now: float) -> None:
        """Step the machine, and count evaluation time while it is in `eval` (only then it runs)."""
        record = self.record
        if record.evaluation_since is not None:
            record.evaluation_used += max(0.0, now - record.evaluation_since)
            record.evaluation_since = None
        record.authorization = AUTHORIZATION[record.authorization, event]
        if record.authorization is Authorization.EVAL and record.evaluation_used >= timers.EVALUATION:
            record.authorization = AUTHORIZATION[Authorization.EVAL, AuthorizationEvent.EVAL_USED_UP]
        if record.authorization is Authorization.EVAL:
            record.evaluation_since = now

    def _unregistered(self, event: RegistrationEvent, now: float) -> None:
        record = self.record
        self._registration(event)
        record.identity = record.new_key = record.in_flight = record.deadline = None
        record.registering, record.authorizing = Attempts(), Attempts()
        record.entitlements = {
            tag: Entitlement(count=used.count, enforcement_mode="evaluation")
            for tag, used in record.entitlements.items()
            if used.count
        }
        record.to_report = bool(record.entitlements)
        self._authorization(AuthorizationEvent.UNREGISTERED, now)
        if not record.entitlements:
            self._authorization(AuthorizationEvent.RELEASED, now)

    def _attempts(self) -> Attempts:
        registering = isinstance(self.record.in_flight, RegistrationRequest)
        return self.record.registering if registering else self.record.authorizing

    def _in_use(self) -> bool:
        return any(used.count for used in self.record.entitlements.values())

    def _waiting(self, used: Entitlement) -> bool:
        return used.enforcement_mode == "waiting" and not self.record.to_report and not self.record.in_flight
