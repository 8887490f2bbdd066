"""Events and administration: what a journal holds is read back, what is newer is refused."""

from __future__ import annotations

import hashlib
import random
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mock_server.domain import accounts as accounts_
from mock_server.domain import administration, events, licenses
from mock_server.domain import tokens as tokens_
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.state import (
    AccessToken,
    Account,
    AccountStatus,
    ApiClient,
    Instance,
    LastMessage,
    Lot,
    LotKind,
    Mode,
    Origin,
    PasswordHash,
    Pool,
    Schedule,
    Settings,
    State,
    SyncFailure,
    Token,
    Tombstone,
    UsageReport,
    User,
    UserRole,
    pool_key,
)
from smartlic_client.errors import CallerError
from smartlic_client.protocol.identity import Udi, device_digest
from smartlic_client.protocol.messages import (
    Acknowledged,
    AuthorizationResult,
    Enforced,
    IdCertRenewalResult,
    LicenseUsageResult,
    RegistrationResult,
    TrustResult,
)
from smartlic_client.protocol.rum import Policy, Reporting
from tests.unit.domain.world import NOW, Server, tag

texts = st.text(max_size=12)
times = st.floats(0, 2e9)
counts = st.integers(0, 2**31 - 1)
results = st.one_of(
    st.just(Acknowledged()),
    st.builds(
        AuthorizationResult,
        entitlements=st.lists(st.builds(Enforced, tag=texts.filter(len), enforcement_mode=texts), max_size=2),
        renewal_interval_seconds=counts,
        expiry_interval_seconds=counts,
    ),
    st.builds(
        RegistrationResult,
        product_instance_identifier=texts.filter(len),
        id_certificate=texts,
        id_certificate_chain=st.lists(texts, max_size=2),
        smart_account=texts,
        virtual_account=texts,
        export_controlled_allowed=st.booleans(),
    ),
)
policies = st.none() | st.builds(
    Policy,
    name=texts,
    acknowledgement_required=st.booleans(),
    enforced=st.builds(Reporting, first=st.integers(0, 3650), on_change=st.integers(0, 3650)),
)
certified = {"id_certificate": texts, "id_certificate_chain": st.lists(texts, max_size=2)}
results = st.one_of(
    results,
    st.builds(IdCertRenewalResult, **certified),
    st.builds(LicenseUsageResult, report_ids=st.lists(texts.filter(len), max_size=2), policy=policies),
    st.builds(
        TrustResult,
        product_instance_identifier=texts.filter(len),
        smart_account=texts,
        virtual_account=texts,
        trust_code=texts.filter(len),
        policy=policies,
        export_controlled_allowed=st.booleans(),
        **certified,
    ),
)
lasts = st.builds(LastMessage, sequence=counts, message_id=texts, meaning=texts, result=results)
failures = st.builds(SyncFailure, code=texts, sentence=texts, at=times, attempts=counts)
accounts = st.builds(
    Account,
    name=texts,
    smart_account=texts,
    virtual_account=texts,
    status=st.sampled_from(AccountStatus),
    virtual_accounts=st.lists(texts, max_size=3),
    last_sync=st.none() | times,
    waiting=st.booleans(),
    email=texts,
    reason=texts,
    requested_at=st.none() | times,
    descriptions=st.dictionaries(texts, texts, max_size=2),
    schedule=st.none() | st.sampled_from(Schedule),
    next_sync=st.none() | times,
    sync_failure=st.none() | failures,
    signed_in_at=st.none() | times,
    sync_serial=counts,
    pending_request=st.none() | texts,
    policy=policies,
)
tokens = st.builds(
    Token,
    token_id=texts,
    account=texts,
    virtual_account=texts,
    description=texts,
    created_at=times,
    expires_at=times,
    uses=st.none() | counts,
    used=counts,
    export_controlled=st.booleans(),
    revoked=st.booleans(),
    created_by=texts,
)
lots = st.builds(
    Lot,
    id=texts,
    quantity=counts,
    kind=st.sampled_from(LotKind),
    start=st.none() | times,
    end=st.none() | times,
    origin=st.sampled_from(Origin),
)
pools = st.builds(
    Pool,
    account=texts,
    virtual_account=texts,
    tag=texts,
    name=texts,
    in_use=counts,
    lots=st.dictionaries(texts, lots, max_size=2),
    overage_allowed=st.booleans(),
)
instances = st.builds(
    Instance,
    piid=texts,
    name=texts,
    udi=st.builds(Udi, pid=st.none() | texts, sn=st.none() | texts, uuid=st.none() | texts),
    software_id=texts,
    account=texts,
    virtual_account=texts,
    public_key=st.binary(max_size=20),
    certificate_serial=texts,
    registered_at=times,
    last_contact=times,
    last=lasts,
    usage=st.dictionaries(texts, counts, max_size=3),
    mode=st.sampled_from(Mode),
    export_controlled=st.booleans(),
    renewed_at=st.none() | times,
    policy=policies,
    measured=st.dictionaries(texts, counts, max_size=3),
    last_report=st.none() | times,
)
reports = st.builds(
    UsageReport,
    piid=texts,
    report_id=texts,
    tag=texts,
    digest=texts,
    taken_at=times,
    start=counts,
    end=counts,
    highest=counts,
    count=counts,
)
tombstones = st.builds(Tombstone, piid=texts, public_key=st.binary(max_size=20), last=st.none() | lasts)
api_clients = st.builds(
    ApiClient,
    client_id=texts,
    account=texts,
    name=texts,
    digest=texts,
    created_at=times,
    created_by=texts,
    renewed_at=st.none() | times,
)
access_tokens = st.builds(
    AccessToken,
    client_id=texts,
    user=texts,
    account=st.none() | texts,
    issued_at=times,
    expires_at=times,
)
passwords = st.builds(PasswordHash, salt=st.binary(max_size=16), cost=counts, digest=st.binary(max_size=32))
users = st.builds(
    User,
    name=texts,
    role=st.sampled_from(UserRole),
    password=passwords,
    created_at=times,
    created_by=texts,
    changed_at=st.none() | times,
)
certificates = st.dictionaries(texts, st.lists(texts, max_size=2), max_size=2)
BY_TYPE: dict[type[Any], st.SearchStrategy[Any]] = {
    events.AccountChanged: st.builds(events.AccountChanged, account=accounts),
    events.AccountSynchronized: st.builds(
        events.AccountSynchronized,
        name=texts,
        serial=counts,
        waiting=st.booleans(),
        next_sync=st.none() | times,
        by_file=st.booleans(),
    ),
    events.SyncFailed: st.builds(
        events.SyncFailed, name=texts, failure=failures, next_sync=st.none() | times
    ),
    events.SyncScheduled: st.builds(
        events.SyncScheduled,
        name=texts,
        schedule=st.none() | st.sampled_from(Schedule),
        next_sync=st.none() | times,
    ),
    events.SignedIn: st.builds(events.SignedIn, name=texts, user=texts, next_sync=st.none() | times),
    events.SyncRequested: st.builds(events.SyncRequested, name=texts, nonce=texts),
    events.AnchorKept: st.builds(events.AnchorKept, root=texts),
    events.BrowserKeyMade: st.builds(events.BrowserKeyMade, key=texts),
    events.BrowserCertificateUploaded: st.builds(
        events.BrowserCertificateUploaded, chain=st.lists(texts, max_size=2), key=texts, subject=texts
    ),
    events.BrowserCertificateReset: st.builds(
        events.BrowserCertificateReset, chain=st.lists(texts, max_size=2), why=texts
    ),
    events.TokenCreated: st.builds(events.TokenCreated, digest=texts, token=tokens),
    events.TokenRevoked: st.builds(events.TokenRevoked, digest=texts, token_id=texts),
    events.LicensesPurchased: st.builds(events.LicensesPurchased, pool=pools),
    events.CommonNameSet: st.builds(events.CommonNameSet, name=texts),
    events.CertificatesInstalled: st.builds(
        events.CertificatesInstalled, served_name=texts, generation=counts, certificates=certificates
    ),
    events.ClockSet: st.builds(events.ClockSet, offset=st.floats(-2e9, 2e9)),
    events.InstanceRegistered: st.builds(
        events.InstanceRegistered, instance=instances, key_digest=texts, token_digest=texts
    ),
    events.UsageReported: st.builds(
        events.UsageReported, piid=texts, usage=st.dictionaries(texts, counts, max_size=3), last=lasts
    ),
    events.ReportsTaken: st.builds(
        events.ReportsTaken,
        piid=texts,
        reports=st.lists(reports, max_size=2),
        usage=st.dictionaries(texts, counts, max_size=3),
        measured=st.dictionaries(texts, counts, max_size=3),
        last=lasts,
    ),
    events.InstanceImported: st.builds(events.InstanceImported, instance=instances),
    events.ReportsImported: st.builds(
        events.ReportsImported,
        piid=texts,
        reports=st.lists(reports, max_size=2),
        usage=st.dictionaries(texts, counts, max_size=3),
        measured=st.dictionaries(texts, counts, max_size=3),
        policy=policies,
    ),
    events.CertificateRenewed: st.builds(
        events.CertificateRenewed, piid=texts, name=texts, certificate_serial=texts, last=lasts
    ),
    events.InstanceGone: st.builds(
        events.InstanceGone, tombstone=tombstones, why=texts, name=texts, successor=texts
    ),
    events.AccountDeleted: st.builds(events.AccountDeleted, name=texts, why=texts),
    events.VirtualAccountCreated: st.builds(
        events.VirtualAccountCreated, account=texts, name=texts, description=texts
    ),
    events.VirtualAccountDeleted: st.builds(events.VirtualAccountDeleted, account=texts, name=texts),
    events.LotsArrived: st.builds(
        events.LotsArrived,
        account=texts,
        tag=texts,
        name=texts,
        lots=st.dictionaries(texts, st.lists(lots, max_size=2), max_size=2),
    ),
    events.LicensesTransferred: st.builds(
        events.LicensesTransferred,
        account=texts,
        tag=texts,
        name=texts,
        source=texts,
        target=texts,
        lots=st.dictionaries(texts, counts, max_size=2),
    ),
    events.InstanceRenamed: st.builds(events.InstanceRenamed, piid=texts, former=texts, name=texts),
    events.UserCreated: st.builds(events.UserCreated, user=users),
    events.PasswordChanged: st.builds(events.PasswordChanged, name=texts, password=passwords),
    events.UserRemoved: st.builds(events.UserRemoved, name=texts),
    events.SignedOut: st.builds(
        events.SignedOut, name=texts, session=texts, now=st.floats(0, 2e9), until=st.floats(0, 2e9)
    ),
    events.InstanceTransferred: st.builds(
        events.InstanceTransferred, piid=texts, name=texts, source=texts, target=texts
    ),
    events.ApiClientCreated: st.builds(events.ApiClientCreated, client=api_clients),
    events.ApiClientRenewed: st.builds(events.ApiClientRenewed, client_id=texts, name=texts, digest=texts),
    events.ApiClientDeleted: st.builds(events.ApiClientDeleted, client_id=texts, name=texts),
    events.AccessTokenIssued: st.builds(
        events.AccessTokenIssued,
        digest=texts,
        token=access_tokens,
        who=texts,
        gone=st.lists(texts, max_size=2),
    ),
    events.RestApiConfigured: st.builds(
        events.RestApiConfigured, rate_limit=counts, whole_tokens=st.booleans()
    ),
}
changes = st.builds(
    events.Change, at=times, by=texts, node=texts, events=st.lists(st.one_of(*BY_TYPE.values()), max_size=4)
)


# ---- the journal's form -----------------------------------------------------------------------------------
def test_every_event_has_a_strategy_here() -> None:
    """A new event cannot be added without being part of the round trip below."""
    assert set(get_args(events.Event)) == set(BY_TYPE)


@settings(deadline=None, max_examples=150)
@given(changes)
def test_a_change_survives_the_journal(change: events.Change) -> None:
    """Any change is read back as it was, and encodes to the same bytes again."""
    payload = events.encode(change)
    assert events.decode(payload) == change
    assert events.encode(events.decode(payload)) == payload


@settings(deadline=None, max_examples=40)
@given(changes, st.integers(events.VERSION + 1, 2**31))
def test_a_newer_change_is_refused(change: events.Change, version: int) -> None:
    """A journal of a newer release is not guessed at."""
    newer = msgspec.structs.replace(change, version=version)
    with pytest.raises(msgspec.ValidationError, match=str(version)):
        events.decode(events.encode(newer))


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=60))
@example(b"")
@example(b"\x81\xa7vers\xffon\x01")
@example(b"\x91" * 5000)
def test_bytes_are_a_change_or_refused(payload: bytes) -> None:
    """What is no change raises msgspec's error and nothing else."""
    try:
        assert isinstance(events.decode(payload), events.Change)
    except msgspec.ValidationError as error:
        assert str(error)


KINDS = [
    "access_token",
    "account",
    "api_client",
    "instance",
    "pool",
    "report",
    "settings",
    "token",
    "tombstone",
]


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_an_aggregate_survives_its_row(kind: str, data: st.DataObject) -> None:
    """Each kind of aggregate is loaded from its row as it was, and gives the same row again."""
    by_kind: dict[str, st.SearchStrategy[Any]] = {
        "account": accounts,
        "token": tokens,
        "pool": pools,
        "instance": instances,
        "tombstone": tombstones,
        "report": reports,
        "api_client": api_clients,
        "access_token": access_tokens,
        "settings": st.builds(
            Settings,
            common_name=texts,
            served_name=texts,
            generation=counts,
            certificates=certificates,
            clock_offset=st.floats(-2e9, 2e9),
            rate_limit=counts,
            whole_tokens=st.booleans(),
        ),
    }
    value = data.draw(by_kind[kind])
    row = msgspec.msgpack.encode(value)
    machine = LicensingMachine()
    machine.load([(kind, "", row)])
    assert machine.row(kind, "") == row
    held = machine.state.settings if kind == "settings" else getattr(machine.state, f"{kind}s")[""]
    assert held == value


def test_a_row_that_is_gone_is_none_and_reset_forgets() -> None:
    """Deleted aggregates have no row, settings always have one, and a reset machine is a new one."""
    server = Server(lambda: NOW, random.Random(1))
    assert server.machine.row("instance", "nobody") is None
    assert server.machine.row("account", "Lab") is not None
    server.machine.reset()
    assert server.machine.row("account", "Lab") is None
    assert server.machine.row("settings", "") == LicensingMachine().row("settings", "")


def test_loading_replaces_what_was_there() -> None:
    """Rows are taken over into an empty machine, whatever it held before."""
    server = Server(lambda: NOW, random.Random(1))
    server.machine.load([])
    assert server.state.accounts == {}


# ---- keys -------------------------------------------------------------------------------------------------
_fields = st.none() | st.sampled_from(["A", "B", "AB"])
_udis = st.builds(Udi, pid=_fields, sn=_fields, vid=_fields, suvi=_fields)


@settings(deadline=None, max_examples=200)
@given(_udis, _udis, st.sampled_from(["s", "t"]), st.sampled_from(["s", "t"]))
def test_two_devices_have_one_identity_only_if_they_are_the_same(
    one: Udi, other: Udi, software: str, another: str
) -> None:
    """The identity key tells apart all that differs in UDI or software id, fields that swap values too."""
    same = (one, software) == (other, another)
    assert (device_digest(one, software) == device_digest(other, another)) == same


@settings(deadline=None, max_examples=100)
@given(*[st.sampled_from(["a", "b", "ab", ""])] * 6)
def test_two_pools_have_one_key_only_if_they_are_the_same(
    a: str, b: str, c: str, x: str, y: str, z: str
) -> None:
    """Account, virtual account and tag together make a pool."""
    assert (pool_key(a, b, c) == pool_key(x, y, z)) == ((a, b, c) == (x, y, z))


# ---- administration ---------------------------------------------------------------------------------------
@pytest.fixture
def server() -> Server:
    return Server(lambda: NOW, random.Random(1))


def create(state: State, **changed: Any) -> tuple[list[events.Event], Any]:
    """A token as the CLI makes it, with some arguments changed."""
    given_: dict[str, Any] = {
        "account": "Lab",
        "virtual_account": "Default",
        "days": 30,
        "uses": 5,
        "description": "x" * 300,
    }
    given_ |= {"export_controlled": True, "now": NOW, "random": random.Random(1).randbytes}
    return tokens_.create_token(state, **given_ | changed)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"account": "Nowhere"}, "account-unknown"),
        ({"virtual_account": "Nowhere"}, "virtual-account-unknown"),
        ({"days": 0}, "bad-token-days"),
        ({"days": 366}, "bad-token-days"),
        ({"days": float("nan")}, "bad-token-days"),
        ({"days": float("inf")}, "bad-token-days"),
        ({"uses": 0}, "bad-token-uses"),
        ({"uses": 100_001}, "bad-token-uses"),
    ],
)
def test_a_token_is_made_within_bounds(server: Server, changed: dict[str, Any], code: str) -> None:
    """Accounts that are not there and numbers out of range are refused."""
    with pytest.raises(CallerError) as caught:
        create(server.state, **changed)
    assert caught.value.code == code


def test_the_server_keeps_no_token(server: Server) -> None:
    """Of a token only its hash is kept, in event, row and state."""
    happened, token = create(server.state)
    server.commit(happened)
    digest = hashlib.sha256(token.reveal().encode()).hexdigest()
    kept = server.state.tokens[digest]
    assert (kept.token_id, kept.expires_at) == (token.token_id, token.expires_at)
    assert (kept.used, kept.uses, len(kept.description)) == (0, 5, 255)
    for change in server.ledger.changes:
        assert token.reveal().encode() not in events.encode(change)
    assert token.reveal().encode() not in (server.machine.row("token", digest) or b"")


def test_revoking_is_once_and_of_what_is_there(server: Server) -> None:
    """The second time there is nothing to do; an unknown token is refused."""
    happened, token = create(server.state)
    server.commit(happened)
    server.commit(tokens_.revoke_token(server.state, token.token_id))
    assert tokens_.revoke_token(server.state, token.token_id) == []
    with pytest.raises(CallerError) as caught:
        tokens_.revoke_token(server.state, "nobody")
    assert caught.value.code == "token-not-there"


@pytest.mark.parametrize("name", ["", " a", "a ", "a\x1fb", "a\nb", "x" * 101, "\u200b", "\ud800"])
def test_names_are_printable_and_bounded(server: Server, name: str) -> None:
    """A name with a separator, a control character or blanks at its ends is no name."""
    for arguments in ((name, "s", "v"), ("a", name, "v"), ("a", "s", name)):
        with pytest.raises(CallerError) as caught:
            accounts_.create_account(server.state, *arguments)
        assert caught.value.code == "bad-name"
    with pytest.raises(CallerError) as caught:
        licenses.purchase(server.state, "Lab", "Default", tag(1), name, 1)
    assert caught.value.code == "bad-name"


def test_an_account_is_made_once(server: Server) -> None:
    """A new account has the virtual account `Default`; its name is then taken."""
    server.commit(accounts_.create_account(server.state, "Lab 2", "S", "V"))
    assert server.state.accounts["Lab 2"].virtual_accounts == ["Default"]
    with pytest.raises(CallerError) as caught:
        accounts_.create_account(server.state, "Lab 2", "S", "V")
    assert caught.value.code == "account-exists"


@pytest.mark.parametrize(("quantity", "what"), [(-1, tag(1)), (2**31, tag(1)), (1, "DNA")])
def test_a_purchase_is_within_bounds(server: Server, quantity: int, what: str) -> None:
    """Quantities out of range and tags of another shape are refused."""
    with pytest.raises(CallerError) as caught:
        licenses.purchase(server.state, "Lab", "Default", what, "DNA", quantity)
    assert caught.value.code == ("bad-tag" if what == "DNA" else "bad-quantity")


def test_the_common_name_is_served_once_every_account_is_synchronized(server: Server) -> None:
    """Setting it makes all accounts wait; certificates are due when the last one is synchronized (B1.5)."""
    server.commit(accounts_.create_account(server.state, "Two", "S", "V"))
    assert not administration.regeneration_due(server.state)
    server.commit(administration.set_common_name(server.state, "vip.lab"))
    assert administration.set_common_name(server.state, "vip.lab") == []
    assert [account.waiting for account in server.state.accounts.values()] == [True, True]
    assert not administration.regeneration_due(server.state)
    server.commit([events.AccountSynchronized(name="Lab")])
    assert administration.behind(server.state) == ["Two"]
    assert not administration.regeneration_due(server.state)
    server.commit([events.AccountSynchronized(name="Two")])
    assert administration.regeneration_due(server.state)
    installed = events.CertificatesInstalled(
        served_name="vip.lab", generation=2, certificates={"product": ["AA"]}
    )
    server.commit([installed])
    settings_ = server.state.settings
    assert (settings_.served_name, settings_.generation) == ("vip.lab", 2)
    assert not administration.regeneration_due(server.state)
