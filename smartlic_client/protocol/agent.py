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
from smartlic_client.protocol import answers, clockwork, errors, signing, usage, usage_file
from smartlic_client.protocol.answers import Outgoing
from smartlic_client.protocol.identity import MAX_COUNT, IdToken, entitlement_tag, new_uuid, printable
from smartlic_client.protocol.logs import Logged
from smartlic_client.protocol.machine import Machine
from smartlic_client.protocol.messages import (
    MAX_ENTITLEMENTS,
    PROTOCOL_VERSION,
    AnswerData,
    AuthorizationRequest,
    ConnectInfo,
    DeregistrationRequest,
    EntitlementUse,
    HelloRequest,
    IdCertRenewalRequest,
    LicenseUsageRequest,
    PollRequest,
    RegistrationRequest,
    Request,
    RequestHeader,
    Sudi,
    TrustRequest,
    request_type,
)
from smartlic_client.protocol.record import Attempts, Entitlement, Identity, LicenseKind, Record
from smartlic_client.protocol.seals import REAL, Seals
from smartlic_client.protocol.states import AuthorizationEvent, RegistrationEvent, Trust, TrustEvent

__all__ = ["Agent", "Outgoing"]

RandomBytes = Callable[[int], bytes]


class Agent:
    """One product instance. Every method changes `record` only; times are Unix seconds.

    A driver sends what `next_request` gives, hands the answer to `receive` or the failure to `lost`, and
    saves the record before each sending and after each outcome. Left alone it sleeps until `next_deadline`,
    calls `tick`, and sends where that says so. `take_logs` gives what was logged meanwhile.
    """

    __slots__ = ("_machine",)

    def __init__(self, record: Record, seals: Seals = REAL) -> None:
        self._machine = Machine(record, seals)

    @property
    def record(self) -> Record:
        return self._machine.record

    # ---- what the device's owner wants --------------------------------------------------------------------
    def register(
        self,
        token: IdToken,
        key: signing.PrivateKey,
        random: RandomBytes,
        force: bool = False,
        now: float = 0.0,
    ) -> None:
        """Mean to register with `token` and the new `key`. Raises registered-already unless `force`.

        A registration that is still in flight has to be answered first: it may have been accepted (rule 1).
        """
        record = self.record
        if record.usage is not None:
            raise errors.USES_POLICY()
        if record.identity is not None and not force:
            raise errors.REGISTERED_ALREADY(piid=record.identity.piid)
        if isinstance(record.in_flight, RegistrationRequest):
            raise RuntimeError("a registration is in flight")
        if isinstance(record.in_flight, AuthorizationRequest):
            record.to_report = True
        record.to_renew = False
        self._new_key(key)
        record.registering = Attempts()
        self._machine.registration(RegistrationEvent.ASKED, now)
        record.in_flight = RegistrationRequest(
            **self._common(random),
            id_token=token.reveal(),
            csr=self._machine.seals.make_csr(key, str(record.udi)),
            force=force,
        )

    def _new_key(self, key: signing.PrivateKey) -> None:
        record = self.record
        record.poll_id = None
        record.new_key = self._machine.seals.dump_key(key)
        self._machine.keep_key(record.new_key, key)
        record.protocol_version = PROTOCOL_VERSION

    def request(
        self,
        tag: str,
        count: int,
        now: float,
        *,
        export_controlled: bool = False,
        kind: LicenseKind | None = None,
    ) -> None:
        """Use `count` licenses of `tag` from now on: the absolute count; 0 releases it (rule 4).

        `export_controlled`: the feature needs an allowance that comes with the registration; raises
        export-controlled-not-allowed without it. `kind`: which part of a policy counts for it
        (unenforced-perpetual where nothing was said).
        """
        if not 0 <= count <= MAX_COUNT:
            raise errors.BAD_COUNT(count=count)
        record = self.record
        known = record.entitlements.get(entitlement_tag(tag))
        if count == 0 and known is None:
            raise errors.NOT_IN_USE(tag=tag)
        if count and (export_controlled or (known is not None and known.export_controlled)):
            export_controlled = True
            identity = self._identity()
            if identity is None or not identity.export_controlled_allowed:
                raise errors.EXPORT_NOT_ALLOWED()
        if known is not None and known.count == count and not self._waiting(known):
            return
        if known is None and len(record.entitlements) >= MAX_ENTITLEMENTS:
            raise errors.TOO_MANY(limit=MAX_ENTITLEMENTS)
        mode = "waiting" if record.identity is not None else "evaluation"
        record.entitlements[tag] = Entitlement(
            count=count,
            enforcement_mode=mode if record.usage is None else "disabled",
            export_controlled=export_controlled,
            kind=kind or (known.kind if known is not None else "unenforced-perpetual"),
        )
        if record.usage is not None:
            usage.used(self._machine, tag, count, now)
            if not count:
                del record.entitlements[tag]
            return
        in_use = any(used.count for used in record.entitlements.values())
        event = AuthorizationEvent.USED if in_use else AuthorizationEvent.RELEASED
        self._machine.authorization(event, now)
        record.to_report = True
        if not in_use and record.identity is None:
            record.entitlements.clear()
            record.to_report = False

    def release(self, tag: str, now: float) -> None:
        self.request(tag, 0, now)

    def report(self, now: float = 0.0) -> None:
        """Mean to tell the server the counts, changed or not (`license smart renew auth`)."""
        if self.record.identity is None:
            raise errors.NOT_REGISTERED()
        self.record.authorizing.next = now
        self.record.to_report = True

    def renew(self, now: float = 0.0) -> None:
        """Mean to renew the ID certificate (`license smart renew id`). Raises not-registered."""
        if self.record.identity is None:
            raise errors.NOT_REGISTERED()
        self.record.registering.next = now
        self.record.to_renew = True

    def deregister(self, random: RandomBytes, now: float = 0.0) -> None:
        """Mean to de-register. It outruns a report in flight, whose counts end with the instance anyway."""
        record = self.record
        if record.identity is None:
            raise errors.NOT_REGISTERED()
        record.authorizing.next = now
        if not isinstance(record.in_flight, DeregistrationRequest):
            record.poll_id = None
            record.in_flight = DeregistrationRequest(**self._common(random))

    def forget(self, now: float) -> None:
        """Wipe the registration without an answer: de-registering never leaves local data behind."""
        self._machine.unregistered(RegistrationEvent.DEREGISTERED, now)

    # ---- Smart Licensing Using Policy ---------------------------------------------------------------------
    def use_policy(self, now: float, interval_days: int = 30) -> None:
        """Report usage instead of registering. Raises registered-already, bad-interval (1 to 365 days)."""
        record = self.record
        if not 1 <= interval_days <= 365:
            raise errors.BAD_INTERVAL(days=interval_days)
        if record.identity is not None:
            raise errors.REGISTERED_ALREADY(piid=record.identity.piid)
        if record.in_flight is not None:
            raise RuntimeError("a registration is in flight")
        if record.usage is None:
            self._machine.authorization(AuthorizationEvent.UNREGISTERED_IDLE, now)
            usage.start(self._machine, interval_days, now)

    def trust(
        self,
        token: IdToken,
        key: signing.PrivateKey,
        random: RandomBytes,
        force: bool = False,
        now: float = 0.0,
    ) -> None:
        """Mean to get a trust code with `token`. Raises uses-no-policy, trusted-already unless `force`."""
        record = self.record
        if record.usage is None:
            raise errors.NO_POLICY()
        if record.usage.identity is not None and not force:
            raise errors.TRUSTED_ALREADY()
        if record.in_flight is not None:
            raise RuntimeError("a message is in flight")
        self._new_key(key)
        record.usage.trusting = Attempts()
        state = Trust.NONE if record.usage.identity is None else Trust.INSTALLED
        self._machine.trust(state, TrustEvent.ASKED, now)
        record.in_flight = TrustRequest(
            **self._common(random),
            id_token=token.reveal(),
            csr=self._machine.seals.make_csr(key, str(record.udi)),
            force=force,
        )

    def report_usage(self, now: float) -> None:
        """Close the open reports now (`license smart sync`): they are sent, or can be saved."""
        if self.record.usage is None:
            raise errors.NO_POLICY()
        usage.close_all(self._machine, now)

    def save_usage(self, now: float) -> bytes:
        """The reports that are not acknowledged, for a file (transport `off`). Raises uses-no-policy."""
        if self.record.usage is None:
            raise errors.NO_POLICY()
        return usage.saved_reports(self.record, now)

    def import_acknowledgement(self, data: bytes, anchors: bytes, now: float) -> None:
        """Take an acknowledgement from a file. Raises uses-no-policy, and as `read_acknowledgement`."""
        if self.record.usage is None:
            raise errors.NO_POLICY()
        result = usage_file.read_acknowledgement(data, self.record, anchors, now)
        usage.imported(self._machine, result, now)

    def configure(
        self,
        *,
        custom_id: str | None = None,
        hostname_private: bool | None = None,
        version_private: bool | None = None,
        transport_off: bool | None = None,
    ) -> None:
        """Set custom id ("": none) and privacy switches; None leaves one as it is. Raises bad-text."""
        record = self.record
        if custom_id is not None:
            record.custom_id = printable(custom_id, "custom id") if custom_id else None
        if hostname_private is not None:
            record.hostname_private = hostname_private
        if version_private is not None:
            record.version_private = version_private
        if transport_off is not None:
            record.transport_off = transport_off

    def factory_reset(self, now: float) -> None:
        """Forget all that licensing has brought; usage that was measured goes on from now on."""
        usage_before = self.record.usage
        self.record.reset()
        if usage_before is not None:
            self.use_policy(now, usage_before.interval_days)

    # ---- time ---------------------------------------------------------------------------------------------
    def tick(self, now: float) -> bool:
        """Let time have passed. Returns whether something is to be sent now."""
        clockwork.tick(self._machine, now)
        return clockwork.due(self.record, now)

    @property
    def steps(self) -> int:
        """How many steps the two machines have taken: where it differs, there is something to save."""
        return self._machine.steps

    def next_deadline(self) -> float | None:
        """When `tick` has something to do next; None: nothing before somebody wants something."""
        return clockwork.next_deadline(self.record)

    def take_logs(self) -> list[Logged]:
        """What was logged since the last call, oldest first."""
        return self._machine.take_logs()

    # ---- what goes out and what comes in ------------------------------------------------------------------
    def next_request(self, now: float, random: RandomBytes) -> Outgoing | None:
        """The next thing to send, None when there is nothing. Save the record before sending it (rule 1)."""
        record = self.record
        if record.in_flight is None:
            record.in_flight = self._next_meant(random)
        if record.in_flight is None:
            self._machine.drop_key()
            return None
        if isinstance(record.in_flight, RegistrationRequest):
            self._machine.registration(RegistrationEvent.SENT_AGAIN, now)
        self._machine.attempts(record.in_flight).last = now
        if record.poll_id is not None:
            meant = record.in_flight
            common = {field: getattr(meant, field) for field in _COMMON}
            return self._outgoing(PollRequest(**common, poll_id=record.poll_id), now, random)
        return self._outgoing(record.in_flight, now, random)

    def hello(self, now: float, random: RandomBytes) -> Outgoing:
        """A HELLO: asks nothing, changes nothing, is not kept."""
        common = self._common(random, sequence=max(1, self.record.sequence))
        return self._outgoing(HelloRequest(**common), now, random)

    def lost(self, error: SmartlicError, now: float, chance: float = 0.5) -> None:
        """Sending failed, or the answer could not be believed. What was meant stays meant (rule 1).

        `chance` in [0, 1) spreads the next try of a message whose communication failed; another failure is
        not tried again by itself before the next regular renewal.
        """
        if (meant := self.record.in_flight) is None:
            raise RuntimeError("nothing is in flight")
        self._machine.note(meant, error.code, now)
        self._machine.failed(meant, error, now, chance)

    def receive(self, sent: Outgoing, body: bytes, anchors: bytes, now: float) -> AnswerData | None:
        """Apply the answer to `sent`, given in the form of the Smart transport.

        Returns the answer's data; None where the server had forgotten an instance that de-registers. Raises
        an AnswerError where it cannot be believed, a CommunicationError where it comes later: the message
        stays in flight, and `lost` is to be told. Raises a RefusedError where the server said no: that is an
        answer, the message has gone from the record.
        """
        return answers.receive(self._machine, sent, body, anchors, now)

    # ---- sending ------------------------------------------------------------------------------------------
    def _next_meant(self, random: RandomBytes) -> Request | None:
        """A message for what is to be told, the ID certificate first: everything else is signed with it."""
        record = self.record
        if reports := usage.to_send(record):
            return LicenseUsageRequest(**self._common(random), reports=reports)
        if (identity := record.identity) is None:
            return None
        if record.to_renew:
            record.to_renew = False
            seals = self._machine.seals
            csr = seals.make_csr(self._machine.key(identity.key), str(record.udi))
            return IdCertRenewalRequest(**self._common(random), csr=csr)
        if record.to_report:
            record.to_report = False
            used = [EntitlementUse(tag=t, count=e.count) for t, e in record.entitlements.items()]
            return AuthorizationRequest(**self._common(random), entitlements=used)
        return None

    def _common(self, random: RandomBytes, sequence: int | None = None) -> dict[str, Any]:
        record = self.record
        if sequence is None:
            record.sequence += 1  # rule 3
        return {
            "message_id": new_uuid(random),
            "sequence": record.sequence if sequence is None else sequence,
            "software_tag_identifier": record.software_id,
            "hostname": None if record.hostname_private else record.hostname,
            "custom_id": record.custom_id,
        }

    def _outgoing(self, request: Request, now: float, random: RandomBytes) -> Outgoing:
        record = self.record
        record.sent += 1
        nonce = str(int.from_bytes(random(8), "big"))
        asking = isinstance(record.in_flight, (RegistrationRequest, TrustRequest))
        registering = asking and not isinstance(request, HelloRequest)
        identity = None if registering else self._identity()
        pem = record.new_key if registering else identity.key if identity else None
        header = RequestHeader(
            version=record.protocol_version,
            sudi=Sudi.of(record.udi),
            nonce=nonce,
            request_type=request_type(request),
            connect_info=_WITHHELD if record.version_private else _CONNECT_INFO,
            product_instance_identifier=identity.piid if identity else "",
            id_cert_serial_number=identity.serial_number if identity else None,
        )
        stamped = msgspec.structs.replace(request, nonce=nonce, timestamp=int(now * 1000))
        seals = self._machine.seals
        key = self._machine.key(pem) if pem else None
        body = seals.encode_request(header, stamped, (lambda data: seals.sign(key, data)) if key else None)
        return Outgoing(
            request=request,
            nonce=nonce,
            piid=header.product_instance_identifier,
            number=record.sent,
            body=body,
        )

    def _identity(self) -> Identity | None:
        record = self.record
        return record.identity if record.usage is None else record.usage.identity

    def _waiting(self, used: Entitlement) -> bool:
        return used.enforcement_mode == "waiting" and not self.record.to_report and not self.record.in_flight


_COMMON = ("message_id", "sequence", "software_tag_identifier", "hostname", "custom_id")
_CONNECT_INFO = ConnectInfo()
_WITHHELD = ConnectInfo(version="")
