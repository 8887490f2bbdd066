"""What the server answers to a product instance (protocol, "Exactly once, over failover"). Decisions only.

1. The result of an instance's last message is kept. A repeat (same sequence, message id and meaning) gets it
   again; a lower sequence gets `superseded` and has no effect.
2. The same message id with another meaning or key is `message-id-reused`.
3. Before there is a PIID a message is known by its key: a repeated REGISTRATION makes one instance and spends
   one token use.
4. After a DEREGISTRATION a tombstone answers its repeats.
5. Counts are absolute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.serialization import load_der_public_key

from mock_server.domain import events, licenses
from mock_server.domain.apply import key_digest
from mock_server.domain.state import (
    AccountStatus,
    Instance,
    LastMessage,
    State,
    Tombstone,
    identity_key,
    pool_key,
)
from mock_server.domain.tokens import TokenState, token_digest, token_state
from smartlic_client.errors import Problem, SmartlicError
from smartlic_client.protocol import errors, signing
from smartlic_client.protocol.identity import IdToken, new_uuid
from smartlic_client.protocol.messages import (
    Acknowledged,
    AuthorizationRequest,
    AuthorizationResult,
    DeregistrationRequest,
    Enforced,
    HelloRequest,
    RegistrationRequest,
    RegistrationResult,
    Result,
    meaning,
)
from smartlic_client.protocol.smart import SignedRequest

__all__ = ["Decision", "Environment", "IssuedCertificate", "decide"]

RENEWAL_SECONDS: Final = 30 * 86400
EXPIRY_SECONDS: Final = 90 * 86400


@dataclass(frozen=True)
class IssuedCertificate:
    """An ID certificate in base64 DER. Its chain is the same for all, and is put in when one is answered."""

    certificate: str
    serial: str


@dataclass(frozen=True)
class Environment:
    """What the decision needs from outside. `issue(public key, piid)` signs an ID certificate."""

    now: float
    random: Callable[[int], bytes]
    issue: Callable[[signing.PublicKey, str], IssuedCertificate]


@dataclass(frozen=True)
class Decision:
    """Events to keep, and what to answer: `result`, or `problem`; `by` is who did it, for the event log.

    `unknown_piid`: the answer is the public error form for an instance that the server does not know.
    """

    piid: str = ""
    by: str = ""
    events: list[events.Event] = field(default_factory=list)
    result: Result | None = None
    problem: Problem | None = None
    unknown_piid: str | None = None


def decide(state: State, signed: SignedRequest, environment: Environment) -> Decision:
    """What a message means to the server now."""
    data = signed.data
    if isinstance(data, HelloRequest):
        return Decision(result=Acknowledged(), piid=signed.header.product_instance_identifier)
    if isinstance(data, RegistrationRequest):
        return _registration(state, signed, data, environment)
    piid = signed.header.product_instance_identifier
    instance = state.instances.get(piid)
    if instance is None:
        return _gone(state, signed, piid)
    if not _signed_by(instance.public_key, signed):
        return Decision(piid=piid, problem=errors.BAD_SIGNATURE)
    if (known := _known(piid, instance.last, signed)) is not None:
        return known
    if isinstance(data, AuthorizationRequest):
        # De-registering is possible while the account is inactive: it has to be cleared out to be deleted.
        if state.accounts[instance.account].status is not AccountStatus.ACTIVE:
            return Decision(piid=piid, problem=errors.ACCOUNT_INACTIVE)
        return _authorization(state, data, instance, environment.now)
    return _deregistration(data, instance)


def _signed_by(public_key: bytes, signed: SignedRequest) -> bool:
    key = load_der_public_key(public_key)
    return signing.verify(key, signed.signed, signed.signature)  # type: ignore[arg-type]


def _known(piid: str, last: LastMessage, signed: SignedRequest) -> Decision | None:
    """Rules 1 and 2, for a message of the instance whose last message is `last`; None: it is a new one."""
    data = signed.data
    if data.message_id == last.message_id:
        if data.sequence == last.sequence and meaning(data) == last.meaning:
            return Decision(piid=piid, result=last.result)
        return Decision(piid=piid, problem=errors.MESSAGE_ID_REUSED)
    if data.sequence <= last.sequence:
        return Decision(piid=piid, problem=errors.SUPERSEDED)
    return None


def _gone(state: State, signed: SignedRequest, piid: str) -> Decision:
    """Rule 4."""
    tombstone = state.tombstones.get(piid)
    repeats = (
        tombstone is not None
        and tombstone.last is not None
        and isinstance(signed.data, DeregistrationRequest)
        and tombstone.last.message_id == signed.data.message_id
        and _signed_by(tombstone.public_key, signed)
    )
    return Decision(piid=piid, result=Acknowledged()) if repeats else Decision(unknown_piid=piid)


# ---- REGISTRATION -----------------------------------------------------------------------------------------
def _registration(
    state: State, signed: SignedRequest, data: RegistrationRequest, environment: Environment
) -> Decision:
    public_key = signing.read_csr(data.csr)
    if public_key is None:
        return Decision(problem=errors.CSR_NOT_VALID)
    if not signing.verify(public_key, signed.signed, signed.signature):
        return Decision(problem=errors.BAD_SIGNATURE)
    raw_key = signing.public_key_bytes(public_key)
    known_piid = state.by_key.get(key_digest(raw_key))
    if known_piid is not None:  # rule 3
        instance = state.instances.get(known_piid)
        if instance is None:
            return Decision(piid=known_piid, problem=errors.SUPERSEDED)
        reused = Decision(piid=known_piid, problem=errors.MESSAGE_ID_REUSED)
        return _known(known_piid, instance.last, signed) or reused
    try:
        udi = signed.header.sudi.udi().validated()
    except SmartlicError:
        return Decision(problem=errors.MESSAGE_MALFORMED)
    digest = _usable_token(state, data.id_token, environment.now)
    if isinstance(digest, Problem):
        return Decision(problem=digest)
    former = state.by_identity.get(identity_key(udi, data.software_tag_identifier))
    if former is not None and not data.force:
        return Decision(problem=errors.ALREADY_REGISTERED)
    instance, result = _new_instance(state, signed, data, digest, public_key, raw_key, environment)
    happened: list[events.Event] = []
    if former is not None:
        old = state.instances[former]
        grave = Tombstone(piid=former, public_key=old.public_key, last=None)
        happened.append(events.InstanceGone(tombstone=grave, why="replaced", name=old.name))
    registered = events.InstanceRegistered(
        instance=instance, key_digest=key_digest(raw_key), token_digest=digest
    )
    happened.append(registered)
    return Decision(piid=instance.piid, by=instance.name, events=happened, result=result)


_UNUSABLE: Final = {
    TokenState.REVOKED: errors.TOKEN_REVOKED,
    TokenState.EXPIRED: errors.TOKEN_EXPIRED,
    TokenState.USED_UP: errors.TOKEN_USED_UP,
}


def _usable_token(state: State, text: str, now: float) -> str | Problem:
    """The digest of a token that may be used now, or why it may not."""
    try:
        digest = token_digest(IdToken(text))
    except SmartlicError:
        return errors.TOKEN_INVALID
    token = state.tokens.get(digest)
    if token is None:
        return errors.TOKEN_UNKNOWN
    if (refused := _UNUSABLE.get(token_state(token, now))) is not None:
        return refused
    if state.accounts[token.account].status is not AccountStatus.ACTIVE:
        return errors.ACCOUNT_INACTIVE
    return digest


def _new_instance(
    state: State,
    signed: SignedRequest,
    data: RegistrationRequest,
    digest: str,
    public_key: signing.PublicKey,
    raw_key: bytes,
    environment: Environment,
) -> tuple[Instance, RegistrationResult]:
    token = state.tokens[digest]
    account = state.accounts[token.account]
    piid = new_uuid(environment.random)
    issued = environment.issue(public_key, piid)
    udi = signed.header.sudi.udi()
    result = RegistrationResult(
        product_instance_identifier=piid,
        id_certificate=issued.certificate,
        id_certificate_chain=[],
        smart_account=account.smart_account,
        virtual_account=token.virtual_account,
        export_controlled_allowed=token.export_controlled,
    )
    last = LastMessage(
        sequence=data.sequence, message_id=data.message_id, meaning=meaning(data), result=result
    )
    instance = Instance(
        piid=piid,
        name=data.hostname or str(udi),
        udi=udi,
        software_id=data.software_tag_identifier,
        account=token.account,
        virtual_account=token.virtual_account,
        public_key=raw_key,
        certificate_serial=issued.serial,
        registered_at=environment.now,
        last_contact=environment.now,
        last=last,
    )
    return instance, result


# ---- AUTHORIZATION and DEREGISTRATION ---------------------------------------------------------------------
def _authorization(state: State, data: AuthorizationRequest, instance: Instance, now: float) -> Decision:
    usage: dict[str, int] = {}
    for used in data.entitlements:
        if used.tag in usage:
            return Decision(piid=instance.piid, problem=errors.MESSAGE_MALFORMED)
        usage[used.tag] = used.count
    result = AuthorizationResult(
        entitlements=[
            Enforced(tag=tag, enforcement_mode=_mode(state, instance, tag, count, now))
            for tag, count in usage.items()
        ],
        renewal_interval_seconds=RENEWAL_SECONDS,
        expiry_interval_seconds=EXPIRY_SECONDS,
    )
    last = LastMessage(
        sequence=data.sequence, message_id=data.message_id, meaning=meaning(data), result=result
    )
    in_use = {tag: count for tag, count in usage.items() if count}
    event = events.UsageReported(piid=instance.piid, usage=in_use, last=last)
    return Decision(piid=instance.piid, by=instance.name, events=[event], result=result)


def _mode(state: State, instance: Instance, tag: str, count: int, now: float) -> str:
    """By the lots that count now. An entitlement that the whole account never had is none."""
    pool = state.pools.get(pool_key(instance.account, instance.virtual_account, tag))
    if pool is None:
        if not licenses.knows(state, state.accounts[instance.account], tag):
            return "invalid-tag"
        return "out-of-compliance" if count else "in-compliance"
    others = pool.in_use - instance.usage.get(tag, 0)
    enough = others + count <= licenses.standing(pool, now).purchased
    return "in-compliance" if enough else "out-of-compliance"


def _deregistration(data: DeregistrationRequest, instance: Instance) -> Decision:
    result = Acknowledged()
    last = LastMessage(
        sequence=data.sequence, message_id=data.message_id, meaning=meaning(data), result=result
    )
    grave = Tombstone(piid=instance.piid, public_key=instance.public_key, last=last)
    return Decision(
        piid=instance.piid,
        by=instance.name,
        events=[events.InstanceGone(tombstone=grave, why="de-registered", name=instance.name)],
        result=result,
    )
