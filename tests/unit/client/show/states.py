"""A model of a device in every state that people can meet, for tests of the texts and for judges of them."""

from __future__ import annotations

from msgspec.structs import replace

from smartlic_client.show.model import (
    Attempt,
    Authorization,
    AuthorizationState,
    Certificate,
    EnforcementMode,
    Evaluation,
    Event,
    License,
    Member,
    Message,
    Model,
    Policy,
    Privacy,
    Registering,
    Report,
    Requirement,
    Statistic,
    Transport,
    Udi,
    UsageReporting,
)

NOW = 1710317400.0
"""Mar 13 08:10:00 2024 UTC."""
DAY = 86400.0
THEN = NOW - 40 * DAY
UDI = Udi(pid="C9300-24T", sn="FOC2705Y8X0")
DNA = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"
HSEC = "regid.2021-05.com.cisco.C9K_HSEC,1.0_90fdf411-3823-45bd-bd8c-5a5d0e0e1ea2"
PLAN = "regid.2017-05.com.cisco.C9300_48P_NW_Advantagek9,1.0_6a224fe3-c92e-4440-a9c1-5d0e53a54015"
WHY = "The server cannot be reached: the connection was refused."


def _licenses(mode: EnforcementMode, other: EnforcementMode | None = None) -> tuple[License, ...]:
    return (
        License(tag=DNA, name="DNA_P_50M_A", version="1.0", count=3, mode=mode),
        License(tag=HSEC, name="C9K_HSEC", version="1.0", count=1, mode=other or mode, enforcement="export"),
    )


_BASE = Model(
    now=NOW,
    udi=UDI,
    software_id="regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72",
    hostname="pi37",
    evaluation=Evaluation(remaining=90 * DAY),
)
_EVALUATING = replace(
    _BASE,
    evaluation=Evaluation(remaining=89 * DAY + 5631, in_use=True),
    authorization=Authorization(state="eval"),
    licenses=_licenses("evaluation"),
)
_REGISTERED = Registering(
    state="complete",
    export_controlled_allowed=True,
    smart_account="Example Corporation",
    virtual_account="Branch Offices",
    first=Attempt(at=THEN),
    next_renewal=THEN + 180 * DAY,
    expires=THEN + 365 * DAY,
)
_CERTIFICATE = Certificate(
    piid="5d2c6e0c-9f0e-4f0e-8a44-3a3b5d0a2f11",
    serial_number="1a2b",
    valid_from=THEN,
    valid_until=THEN + 365 * DAY,
)


def _registered(
    state: AuthorizationState,
    mode: EnforcementMode,
    other: EnforcementMode | None = None,
    reason: str | None = None,
) -> Model:
    return replace(
        _BASE,
        evaluation=Evaluation(remaining=70 * DAY),
        registration=_REGISTERED,
        authorization=Authorization(
            state=state,
            since=NOW - 10 * DAY,
            last=Attempt(at=NOW - DAY, reason=reason),
            next_attempt=NOW + 20 * DAY,
            deadline=NOW + 80 * DAY,
        ),
        licenses=_licenses(mode, other),
        certificate=_CERTIFICATE,
        messages=(
            Message(at=THEN, kind="REGISTRATION", id="m-1", outcome="OK"),
            Message(at=THEN + 60, kind="AUTHORIZATION", id="m-2", outcome="OK"),
            Message(
                at=NOW - DAY, kind="AUTHORIZATION", id="m-3", outcome="OK" if reason is None else "no-answer"
            ),
        ),
        events=(
            Event(
                at=THEN,
                name="AGENT_REG_SUCCESS",
                text="%SMART_LIC-6-AGENT_REG_SUCCESS: Smart Agent for Licensing Registration successful",
                fields={"udi": str(UDI)},
            ),
            Event(
                at=NOW - DAY,
                name="COMM_RESTORED" if reason is None else "COMM_FAILED",
                text="%SMART_LIC-5-COMM_RESTORED: Communications restored"
                if reason is None
                else f"%SMART_LIC-3-COMM_FAILED: Communications failure : {reason}",
            ),
        ),
        statistics={
            "AUTHORIZATION": Statistic(total=4, success=3, last_response="OK", last_response_at=THEN)
        },
    )


_AUTHORIZED = _registered("authorized", "in-compliance")


def _failed(state: str) -> Model:
    retrying = state == "retry"
    return replace(
        _EVALUATING,
        registration=Registering(
            state="retry" if retrying else "failed",
            first=Attempt(at=NOW - 600, reason=WHY),
            next_attempt=NOW + 900 if retrying else None,
        ),
    )


CLASSIC: dict[str, Model] = {
    "new": _BASE,
    "unregistered, evaluation": _EVALUATING,
    "unregistered, evaluation expired": replace(
        _EVALUATING,
        evaluation=Evaluation(remaining=0.0, expired=True, expired_at=NOW - DAY),
        authorization=Authorization(state="eval-expired"),
        licenses=_licenses("evaluation-expired"),
    ),
    "registering": replace(
        _EVALUATING, registration=Registering(state="in-progress", started=NOW - 5, next_attempt=None)
    ),
    "registration, retry": _failed("retry"),
    "registration failed": _failed("failed"),
    "registered, no license in use": replace(
        _registered("none", "in-compliance"),
        licenses=(),
        authorization=Authorization(
            last=Attempt(at=NOW - DAY), next_attempt=NOW + 29 * DAY, deadline=NOW + 89 * DAY
        ),
    ),
    "registered, first authorization waits": replace(
        _registered("eval", "waiting"),
        evaluation=Evaluation(remaining=70 * DAY, in_use=True),
        authorization=Authorization(state="eval", next_attempt=NOW + 2),
    ),
    "authorized": _AUTHORIZED,
    "authorized, smart transport, custom id": replace(
        _AUTHORIZED,
        transport=Transport(type="smart", url="https://ssm.example.com/SmartTransport"),
        custom_id="rack 7",
        privacy=Privacy(hostname=True, version=True),
    ),
    "authorized, renewed": replace(
        _AUTHORIZED, registration=replace(_REGISTERED, renewal=Attempt(at=NOW - 3 * DAY))
    ),
    "authorized, with several units": replace(
        _AUTHORIZED,
        members=(
            Member(role="Active", udi=UDI),
            Member(role="Standby", udi=Udi(pid="C9300-24T", sn="FOC2705Y8X1")),
            Member(role="Member", udi=Udi(pid="C9300-48T", sn="FOC2705Y8X2")),
        ),
    ),
    "out of compliance": _registered("out-of-compliance", "in-compliance", "out-of-compliance"),
    "ID certificate renewal failed": replace(
        _AUTHORIZED, registration=replace(_REGISTERED, renewal=Attempt(at=NOW - DAY, reason=WHY))
    ),
    "authorization renewal failed": _registered("authorized", "in-compliance", reason=WHY),
    "authorization expired": _registered("authorization-expired", "authorization-expired", reason=WHY),
}

_TRUSTED = replace(
    _BASE,
    policy=Policy(
        name="Example Policy",
        installed=THEN,
        enforced=Requirement(first=365, frequency=90, on_change=90),
        export=Requirement(first=365, frequency=90, on_change=90),
    ),
    registration=Registering(smart_account="Example Corporation", virtual_account="Branch Offices"),
    smart_account_at=NOW - DAY,
    trusted_at=THEN,
    transport=Transport(type="smart", url="https://ssm.example.com/SmartTransport"),
    licenses=(
        License(
            tag=PLAN,
            name="network-advantage",
            version="1.0",
            count=2,
            mode="in-compliance",
            description="C9300-48 Network Advantage",
            changed=THEN,
            asked=NOW - DAY,
            report=1710000003,
            former_report=1710000001,
        ),
        License(
            tag=DNA,
            name="dna-advantage",
            version="1.0",
            count=1,
            mode="in-compliance",
            term="subscription",
            changed=THEN,
            asked=NOW - DAY,
            report=1710000004,
            former_report=1710000002,
        ),
    ),
    usage=UsageReporting(
        interval=30,
        last_ack=NOW - 9 * DAY,
        next_ack_deadline=NOW + 81 * DAY,
        next_push=NOW + 20 * DAY,
        last_push=NOW - 10 * DAY,
    ),
    reports=(
        Report(
            id=1710000001,
            state="acknowledged",
            tag=PLAN,
            name="network-advantage",
            count=2,
            start=THEN,
            end=NOW - 10 * DAY,
        ),
        Report(
            id=1710000002,
            state="acknowledged",
            tag=DNA,
            name="dna-advantage",
            count=1,
            start=THEN,
            end=NOW - 10 * DAY,
        ),
        Report(
            id=1710000003, state="open", tag=PLAN, name="network-advantage", count=2, start=NOW - 10 * DAY
        ),
        Report(id=1710000004, state="open", tag=DNA, name="dna-advantage", count=1, start=NOW - 10 * DAY),
    ),
    messages=(
        Message(at=THEN, kind="TRUST", id="m-1", outcome="OK"),
        Message(at=NOW - 10 * DAY, kind="LICENSE_USAGE", id="m-2", outcome="OK_POLL"),
        Message(at=NOW - 9 * DAY, kind="POLL", id="m-2", outcome="OK"),
        Message(at=THEN, kind="POLICY", outcome="OK", imported=True),
    ),
    events=_AUTHORIZED.events[:1],
    statistics={
        "TRUST": Statistic(total=1, success=1, last_response="OK", last_response_at=THEN, last_success=THEN),
        "LICENSE_USAGE": Statistic(
            total=3, success=2, failing=1, lost=1, last_response="FAILED", last_response_at=NOW, reason=WHY
        ),
    },
)


def _with_states(*states: str) -> tuple[Report, ...]:
    return tuple(
        replace(report, state=state, end=report.end or NOW)
        for report, state in zip(_TRUSTED.reports, states, strict=True)
    )


USING_POLICY: dict[str, Model] = {
    "policy, no trust, nothing sent": replace(
        _TRUSTED,
        policy=Policy(),
        registration=Registering(),
        smart_account_at=None,
        trusted_at=None,
        transport=Transport(type="off"),
        usage=UsageReporting(next_ack_deadline=NOW + 50 * DAY),
        reports=_TRUSTED.reports[2:],
        messages=(),
        events=(),
        statistics={},
    ),
    "policy, no trust, CSLU": replace(
        _TRUSTED,
        policy=Policy(),
        registration=Registering(),
        smart_account_at=None,
        trusted_at=None,
        transport=Transport(
            type="cslu", url="https://ssm.example.com/cslu/v1/pi/example-1", proxy=("proxy.example.com", 3128)
        ),
        reports=_with_states("unacknowledged", "unacknowledged", "open", "open"),
    ),
    "policy, trusted, acknowledged": _TRUSTED,
    "policy, trusted, reports pending": replace(
        _TRUSTED,
        reports=_with_states("pending", "closed", "pending", "open"),
        usage=replace(_TRUSTED.usage, next_ack_check=NOW + 300, last_ack=None),
    ),
    "policy, trusted, off, written to a file": replace(
        _TRUSTED,
        transport=Transport(type="off"),
        usage=replace(_TRUSTED.usage, interval=0, next_push=None, last_file_write=NOW - DAY),
        reports=_with_states("unacknowledged", "unacknowledged", "closed", "open"),
        custom_id="rack 7",
    ),
    "policy, trusted, with several units": replace(
        _TRUSTED,
        members=(
            Member(role="Active", udi=UDI, trusted=THEN),
            Member(role="Standby", udi=Udi(pid="C9300-24T", sn="FOC2705Y8X1"), trusted=THEN + 1),
            Member(role="Member", udi=Udi(pid="C9300-48T", sn="FOC2705Y8X2"), trusted=THEN + 2),
        ),
    ),
    "policy, no license in use": replace(_TRUSTED, licenses=(), reports=()),
}

STATES = {**CLASSIC, **USING_POLICY}
