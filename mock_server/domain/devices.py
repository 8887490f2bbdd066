"""What the server answers to a product instance (protocol, "Exactly once, over failover"). Decisions only.

1. The result of an instance's last message is kept. A repeat (same sequence, message id and meaning) gets it
   again; a lower sequence gets `superseded` and has no effect.
2. The same message id with another meaning or key is `message-id-reused`. A POLL is exempt: it has the
   message id and sequence of the message whose result it asks for.
3. Before there is a PIID a message is known by its key: a repeated REGISTRATION or TRUST makes one instance
   and spends one token use.
4. After a DEREGISTRATION a tombstone answers its repeats.
5. Counts are absolute; a usage report is kept once by its id.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from mock_server.domain import events, registrations, usage
from mock_server.domain.decisions import (
    Decision,
    Environment,
    IssuedCertificate,
    kept,
    known,
    signed_by,
)
from mock_server.domain.state import AccountStatus, Instance, LastMessage, State, Tombstone
from smartlic_client.protocol import errors
from smartlic_client.protocol.messages import (
    VERSIONS,
    Acknowledged,
    AuthorizationRequest,
    DeregistrationRequest,
    HelloRequest,
    IdCertRenewalRequest,
    IdCertRenewalResult,
    LicenseUsageRequest,
    PollRequest,
    RegistrationRequest,
    TrustRequest,
    UnknownRequest,
)
from smartlic_client.protocol.smart import SignedRequest

__all__ = ["Decision", "Environment", "IssuedCertificate", "decide"]


def decide(
    state: State, signed: SignedRequest, environment: Environment, account: str | None = None
) -> Decision:
    """What a message means to the server now. `account`: the local account that the URL names, if it does."""
    data, piid = signed.data, signed.header.product_instance_identifier
    if (newer := _newer(signed.header.version)) is not False:
        return Decision(piid=piid, problem=errors.VERSION_TOO_HIGH if newer else errors.MESSAGE_MALFORMED)
    if isinstance(data, UnknownRequest):
        return Decision(unknown_type=data.request_type)
    if isinstance(data, HelloRequest):
        return Decision(piid=piid, result=Acknowledged())
    if isinstance(data, PollRequest):
        return _polled(state, signed, data, environment, account)
    if isinstance(data, (RegistrationRequest, TrustRequest)):
        decision = registrations.begin(state, signed, data, environment, account)
    else:
        decision = _of_instance(state, signed, data, environment, account)
    if environment.postpone and decision.result is not None:
        return replace(decision, poll_id=_poll_id(decision.piid, data.message_id))
    return decision


def _newer(version: str) -> bool | None:
    """Whether it is newer than all that this release speaks; None: it is no version."""
    if version in VERSIONS:
        return False
    parts = version.split(".")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        return None
    return [int(part) for part in parts] > _NEWEST


_NEWEST: Final = [int(part) for part in VERSIONS[0].split(".")]

_Said = AuthorizationRequest | DeregistrationRequest | IdCertRenewalRequest | LicenseUsageRequest


def _of_instance(
    state: State, signed: SignedRequest, data: _Said, environment: Environment, account: str | None
) -> Decision:
    piid = signed.header.product_instance_identifier
    instance = state.instances.get(piid)
    if instance is None:
        return _gone(state, signed, piid, environment)
    if not signed_by(instance.public_key, signed, environment.seals):
        return Decision(piid=piid, problem=errors.BAD_SIGNATURE)
    if account not in (None, instance.account):
        return Decision(piid=piid, problem=errors.OTHER_ACCOUNT)
    if (again := known(piid, instance.last, data)) is not None:
        return again
    if isinstance(data, DeregistrationRequest):
        return _deregistration(data, instance)
    # De-registering is possible while the account is inactive: it has to be cleared out to be deleted.
    if state.accounts[instance.account].status is not AccountStatus.ACTIVE:
        return Decision(piid=piid, problem=errors.ACCOUNT_INACTIVE)
    if isinstance(data, IdCertRenewalRequest):
        return _renewal(data, instance, environment)
    if isinstance(data, LicenseUsageRequest):
        return usage.license_usage(state, data, instance, environment.now)
    return usage.authorization(state, data, instance, environment.now)


def _gone(state: State, signed: SignedRequest, piid: str, environment: Environment) -> Decision:
    """Rule 4."""
    tombstone = state.tombstones.get(piid)
    repeats = (
        tombstone is not None
        and tombstone.last is not None
        and isinstance(signed.data, DeregistrationRequest)
        and tombstone.last.message_id == signed.data.message_id
        and signed_by(tombstone.public_key, signed, environment.seals)
    )
    return Decision(piid=piid, result=Acknowledged()) if repeats else Decision(unknown_piid=piid)


def _deregistration(data: DeregistrationRequest, instance: Instance) -> Decision:
    result = Acknowledged()
    grave = Tombstone(piid=instance.piid, public_key=instance.public_key, last=kept(data, result))
    return Decision(
        piid=instance.piid,
        by=instance.name,
        events=[events.InstanceGone(tombstone=grave, why="de-registered", name=instance.name)],
        result=result,
    )


def _renewal(data: IdCertRenewalRequest, instance: Instance, environment: Environment) -> Decision:
    """A new certificate for the key that is certified: a repeat is then signed by a key that is known."""
    seals = environment.seals
    public_key = seals.read_csr(data.csr)
    if public_key is None or seals.public_key_bytes(public_key) != instance.public_key:
        return Decision(piid=instance.piid, problem=errors.CSR_NOT_VALID)
    issued = environment.issue(public_key, instance.piid)
    result = IdCertRenewalResult(id_certificate=issued.certificate, id_certificate_chain=[])
    event = events.CertificateRenewed(
        piid=instance.piid, certificate_serial=issued.serial, name=instance.name, last=kept(data, result)
    )
    return Decision(piid=instance.piid, by=instance.name, events=[event], result=result)


# ---- POLL -------------------------------------------------------------------------------------------------
def _poll_id(piid: str, message_id: str) -> str:
    """It names the instance, because who polls for a registration has no PIID yet. Nothing is kept for it."""
    return f"{piid}.{message_id}"


def _polled(
    state: State, signed: SignedRequest, data: PollRequest, environment: Environment, account: str | None
) -> Decision:
    """The result of the instance's last message, if that is the one."""
    told = signed.header.product_instance_identifier
    piid = told or data.poll_id.partition(".")[0]
    instance, tombstone = state.instances.get(piid), state.tombstones.get(piid)
    there = instance or tombstone
    last = there.last if there is not None else None
    if there is None or (instance is None and not _asked_for(data, piid, last)):
        return Decision(unknown_piid=told) if told else Decision(problem=errors.POLL_UNKNOWN)
    if not signed_by(there.public_key, signed, environment.seals):
        return Decision(piid=told, problem=errors.BAD_SIGNATURE)
    if instance is not None and account not in (None, instance.account):
        return Decision(piid=told, problem=errors.OTHER_ACCOUNT)
    if last is None or not _asked_for(data, piid, last):
        return Decision(piid=told, problem=errors.POLL_UNKNOWN)
    return Decision(piid=piid, result=last.result)


def _asked_for(data: PollRequest, piid: str, last: LastMessage | None) -> bool:
    return last is not None and (_poll_id(piid, last.message_id), last.message_id, last.sequence) == (
        data.poll_id,
        data.message_id,
        data.sequence,
    )
