"""Hypothesis strategies for what travels on the wire, and for bytes that do not deserve to."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from smartlic_client.protocol.identity import MAX_COUNT
from smartlic_client.protocol.messages import (
    Acknowledged,
    AnswerData,
    AnswerHeader,
    AuthorizationRequest,
    AuthorizationResult,
    ConnectInfo,
    DeregistrationRequest,
    Enforced,
    EntitlementUse,
    HelloRequest,
    IdCertRenewalRequest,
    IdCertRenewalResult,
    LicenseUsageRequest,
    LicenseUsageResult,
    PollRequest,
    RegistrationRequest,
    RegistrationResult,
    RequestHeader,
    Sudi,
    TrustRequest,
    TrustResult,
    request_type,
)
from smartlic_client.protocol.rum import (
    Asset,
    AssetIdentification,
    Instance,
    Measurement,
    Meta,
    Policy,
    Reporting,
    ReportSignature,
    RumReport,
    Value,
)

texts = st.text(max_size=40)
optional = st.none() | texts
ids = st.text(min_size=1, max_size=40)
nonces = st.integers(0, 2**64 - 1).map(str)
anything = st.text(st.characters() | st.sampled_from("\ud800\udcff\udfff%"), max_size=60)
"""Texts with everything in them, lone surrogates too."""

sudis = st.builds(
    Sudi,
    suvi=optional,
    uuid=optional,
    host_identifier=optional,
    mac_address=optional,
    udi_pid=optional,
    udi_serial_number=optional,
    udi_vid=optional,
)

_common: dict[str, st.SearchStrategy[Any]] = {
    "timestamp": st.integers(0, 2**53),
    "nonce": nonces,
    "message_id": ids,
    "sequence": st.integers(1, 2**53),
    "software_tag_identifier": ids,
    "hostname": optional,
    "custom_id": optional,
}
_uses = st.builds(EntitlementUse, tag=ids, count=st.integers(0, MAX_COUNT))

requests = st.one_of(
    st.builds(RegistrationRequest, **_common, id_token=ids, csr=texts, force=st.booleans()),
    st.builds(AuthorizationRequest, **_common, entitlements=st.lists(_uses, max_size=5)),
    st.builds(DeregistrationRequest, **_common),
    st.builds(HelloRequest, **_common),
)


_moments = st.integers(0, 2**40)
_reports = st.builds(
    RumReport,
    asset_identification=st.builds(
        AssetIdentification,
        report_id=ids,
        asset=st.builds(Asset, name=texts),
        instance=st.builds(Instance, sudi=st.dictionaries(texts, texts, max_size=3)),
    ),
    meta=st.builds(Meta, entitlement_tag=ids, software_version=optional),
    measurements=st.lists(
        st.builds(
            Measurement,
            log_time=_moments,
            start_time=_moments,
            end_time=_moments,
            sample_interval=_moments,
            num_samples=_moments,
            meta=st.just({}),
            value=st.builds(Value, value=st.integers(0, 2**63 - 1).map(str)),
        ),
        max_size=3,
    ),
    signature=st.none() | st.builds(ReportSignature, key=optional, value=texts),
)

any_requests = requests | st.one_of(
    st.builds(IdCertRenewalRequest, **_common, csr=texts),
    st.builds(LicenseUsageRequest, **_common, reports=st.lists(_reports, max_size=3)),
    st.builds(TrustRequest, **_common, id_token=ids, csr=texts, force=st.booleans()),
    st.builds(PollRequest, **_common, poll_id=ids),
)


@st.composite
def messages(draw: st.DrawFn, requests: st.SearchStrategy[Any] = requests) -> tuple[RequestHeader, Any]:
    """A request and the header that belongs to it."""
    request = draw(requests)
    header = RequestHeader(
        version=draw(texts),
        locale=draw(texts),
        sudi=draw(sudis),
        timestamp=draw(st.integers(0, 2**53)),
        nonce=request.nonce,
        request_type=request_type(request),
        agent_actions=draw(st.none() | st.lists(texts, max_size=2)),
        connect_info=draw(st.builds(ConnectInfo, name=texts, capabilities=st.lists(texts, max_size=3))),
        product_instance_identifier=draw(texts),
        id_cert_serial_number=draw(optional),
        signing_cert_serial_number=draw(optional),
    )
    return header, request


_days = st.integers(0, 3650)
_reportings = st.builds(Reporting, first=_days, frequency=_days, on_change=_days)
_policies = st.builds(Policy, name=texts, unenforced_perpetual=_reportings, export=_reportings)

results = st.one_of(
    st.builds(IdCertRenewalResult, id_certificate=texts, id_certificate_chain=st.lists(texts, max_size=3)),
    st.builds(LicenseUsageResult, report_ids=st.lists(ids, max_size=3), policy=st.none() | _policies),
    st.builds(
        TrustResult,
        product_instance_identifier=ids,
        id_certificate=texts,
        id_certificate_chain=st.lists(texts, max_size=3),
        smart_account=texts,
        virtual_account=texts,
        trust_code=ids,
        policy=st.none() | _policies,
    ),
    st.builds(
        RegistrationResult,
        product_instance_identifier=ids,
        id_certificate=texts,
        id_certificate_chain=st.lists(texts, max_size=3),
        smart_account=texts,
        virtual_account=texts,
        export_controlled_allowed=st.booleans(),
    ),
    st.builds(
        AuthorizationResult,
        entitlements=st.lists(st.builds(Enforced, tag=ids, enforcement_mode=texts), max_size=4),
        renewal_interval_seconds=st.integers(0, 2**31),
        expiry_interval_seconds=st.integers(0, 2**31),
    ),
    st.just(Acknowledged()),
)


@st.composite
def answers(draw: st.DrawFn) -> tuple[AnswerHeader, AnswerData]:
    """An answer's header and data, in agreement."""
    nonce = draw(nonces)
    header = AnswerHeader(
        timestamp=draw(st.integers(0, 2**53)),
        nonce=nonce,
        request_type=draw(texts),
        product_instance_identifier=draw(texts),
    )
    data = AnswerData(
        timestamp=draw(st.integers(0, 2**53)),
        nonce=nonce,
        message_id=draw(texts),
        status=draw(st.sampled_from(["OK", "COMPLETE", "FAILED", "OK_POLL", "OK_TRY_AGAIN"])),
        status_code=draw(st.integers(-1000, 1000)),
        status_message=draw(texts),
        code=draw(optional),
        retry_time_seconds=draw(st.none() | st.integers(0, 10**6)),
        poll_id=draw(optional),
        data=draw(st.none() | results),
    )
    return header, data


_TRICKY = st.sampled_from(
    [
        b"\\ud800",
        b'"',
        b"\\",
        b"[" * 3000,
        b"{" * 50,
        b"9" * 6000,
        b"1e999",
        b"\xff",
        b"\xed\xa0\x80",
        b"\x00",
        *[
            b"null",
            b"-1",
            b"&a;",
            b"<!DOCTYPE a>",
            b"<a>" * 2000,
            b"<![CDATA[",
            b"&#xD800;",
            b"]]>",
            b"=",
            b"%",
        ],
    ]
)


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """`valid` with a few bytes replaced, put in, cut out, or its end cut off."""
    raw = valid
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(raw)))
        kind = draw(st.sampled_from(["replace", "insert", "cut", "end"]))
        if kind == "replace":
            raw = raw[:at] + draw(st.binary(min_size=1, max_size=2)) + raw[at + 1 :]
        elif kind == "insert":
            raw = raw[:at] + draw(_TRICKY) + raw[at:]
        elif kind == "cut":
            raw = raw[:at] + raw[at + draw(st.integers(1, 30)) :]
        else:
            raw = raw[:at]
    return raw
