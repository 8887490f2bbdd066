"""REGISTRATION and TRUST: a product instance of either mode begins, known by its key (devices, rule 3)."""

from __future__ import annotations

import base64
from typing import Final

from mock_server.domain import events
from mock_server.domain.apply_instances import key_digest
from mock_server.domain.decisions import Decision, Environment, IssuedCertificate, kept, known
from mock_server.domain.state import (
    AccountStatus,
    Instance,
    Mode,
    State,
    Token,
    Tombstone,
)
from mock_server.domain.tokens import TokenState, token_digest, token_state
from smartlic_client.errors import Problem, SmartlicError
from smartlic_client.protocol import errors, signing
from smartlic_client.protocol.identity import IdToken, Udi, device_digest, new_uuid
from smartlic_client.protocol.messages import (
    RegistrationRequest,
    RegistrationResult,
    TrustRequest,
    TrustResult,
)
from smartlic_client.protocol.smart import SignedRequest

__all__ = ["begin"]

Beginning = RegistrationRequest | TrustRequest

_UNUSABLE: Final = {
    TokenState.REVOKED: errors.TOKEN_REVOKED,
    TokenState.EXPIRED: errors.TOKEN_EXPIRED,
    TokenState.USED_UP: errors.TOKEN_USED_UP,
}


def begin(
    state: State,
    signed: SignedRequest,
    data: Beginning,
    environment: Environment,
    account: str | None = None,
) -> Decision:
    """`account`: the local account of the URL, None where the URL names none."""
    seals = environment.seals
    public_key = seals.read_csr(data.csr)
    if public_key is None:
        return Decision(problem=errors.CSR_NOT_VALID)
    if not seals.verify(public_key, signed.signed, signed.signature):
        return Decision(problem=errors.BAD_SIGNATURE)
    raw_key = seals.public_key_bytes(public_key)
    known_piid = state.by_key.get(key_digest(raw_key))
    if known_piid is not None:
        return _again(state, data, known_piid, account)
    try:
        udi = signed.header.sudi.udi().validated()
    except SmartlicError:
        return Decision(problem=errors.MESSAGE_MALFORMED)
    digest = _usable_token(state, data.id_token, environment.now, account)
    if isinstance(digest, Problem):
        return Decision(problem=digest)
    former = state.by_identity.get(device_digest(udi, data.software_tag_identifier))
    known_by_key = former is not None and bool(state.instances[former].public_key)
    if known_by_key and not data.force:
        return Decision(problem=errors.ALREADY_REGISTERED)
    return _accepted(state, data, udi, (public_key, raw_key), digest, environment)


def _again(state: State, data: Beginning, piid: str, account: str | None) -> Decision:
    """A key that has been used: the repeat of its message, or nothing."""
    instance = state.instances.get(piid)
    if instance is None:
        return Decision(piid=piid, problem=errors.SUPERSEDED)
    if account not in (None, instance.account):
        return Decision(piid=piid, problem=errors.OTHER_ACCOUNT)
    reused = Decision(piid=piid, problem=errors.MESSAGE_ID_REUSED)
    return known(piid, instance.last, data) or reused


def _usable_token(state: State, text: str, now: float, account: str | None) -> str | Problem:
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
    if account not in (None, token.account):
        return errors.OTHER_ACCOUNT
    if state.accounts[token.account].status is not AccountStatus.ACTIVE:
        return errors.ACCOUNT_INACTIVE
    return digest


def _accepted(
    state: State,
    data: Beginning,
    udi: Udi,
    keys: tuple[signing.PublicKey, bytes],
    digest: str,
    environment: Environment,
) -> Decision:
    token, (public_key, raw_key) = state.tokens[digest], keys
    piid = new_uuid(environment.random)
    issued = environment.issue(public_key, piid)
    result = _result(state, data, token, piid, issued, environment)
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
        last=kept(data, result),
        mode=Mode.POLICY if isinstance(data, TrustRequest) else Mode.REGISTERED,
        export_controlled=token.export_controlled,
        policy=state.accounts[token.account].policy if isinstance(data, TrustRequest) else None,
    )
    happened: list[events.Event] = []
    former = state.instances.get(state.by_identity.get(device_digest(udi, data.software_tag_identifier), ""))
    if former is not None:
        happened.append(_replaced(former, instance))
    happened.append(
        events.InstanceRegistered(instance=instance, key_digest=key_digest(raw_key), token_digest=digest)
    )
    return Decision(piid=piid, by=instance.name, events=happened, result=result)


def _result(
    state: State,
    data: Beginning,
    token: Token,
    piid: str,
    issued: IssuedCertificate,
    environment: Environment,
) -> RegistrationResult | TrustResult:
    account = state.accounts[token.account]
    if isinstance(data, RegistrationRequest):
        return RegistrationResult(
            product_instance_identifier=piid,
            id_certificate=issued.certificate,
            id_certificate_chain=[],
            smart_account=account.smart_account,
            virtual_account=token.virtual_account,
            export_controlled_allowed=token.export_controlled,
        )
    return TrustResult(
        product_instance_identifier=piid,
        id_certificate=issued.certificate,
        id_certificate_chain=[],
        smart_account=account.smart_account,
        virtual_account=token.virtual_account,
        trust_code=base64.b64encode(environment.random(48)).decode(),
        policy=account.policy,
        export_controlled_allowed=token.export_controlled,
    )


def _replaced(former: Instance, new: Instance) -> events.InstanceGone:
    """A new trust code of the same device goes on with its usage reports, and with what they count."""
    successor = ""
    if former.mode is new.mode is Mode.POLICY:
        successor, new.usage, new.measured = new.piid, dict(former.usage), dict(former.measured)
        new.last_report = former.last_report
    grave = Tombstone(piid=former.piid, public_key=former.public_key, last=None)
    return events.InstanceGone(tombstone=grave, why="replaced", name=former.name, successor=successor)
