"""Usage reports that came in a file (transport `off`), and who is believed. Decisions only.

A file of a device with a trust code is signed with its key, all or nothing. One of a device that this server
does not know is unsigned: a person vouches for it, and it becomes a product instance without a key, until it
gets a trust code. The same file again has no effect and gets the same acknowledgement: it may have been lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import load_der_public_key

from mock_server.domain import accounts, events, usage
from mock_server.domain.state import (
    DEFAULT_ACCOUNT,
    DEFAULT_VIRTUAL_ACCOUNT,
    Instance,
    LastMessage,
    Mode,
    State,
)
from mock_server.errors import CallerError, SmartlicError, problem
from smartlic_client.protocol import signing, smart, usage_file
from smartlic_client.protocol.identity import device_digest, entitlement_tag, new_uuid, printable, software_id
from smartlic_client.protocol.messages import Acknowledged, LicenseUsageResult
from smartlic_client.protocol.usage_file import MAX_FILE, UsageContent, UsageFile

__all__ = ["Taken", "take"]

TOO_LARGE = problem(
    "usage-file-too-large",
    CallerError,
    "The file is no file of usage reports: it is larger than {limit} bytes.",
    "Give the file that the device saved (`smartlic report --save FILE`), as it was.",
)
DAMAGED = problem(
    "usage-file-damaged",
    CallerError,
    "The file of usage reports is damaged, or is none: {why}.",
    "Carry the file over again as the device saved it, or save it again (`smartlic report --save FILE`).",
)
FORGED = problem(
    "usage-file-signature",
    CallerError,
    "The signature of the usage reports of {device} does not hold.",
    "The file was changed, or the device has a newer trust code than this server knows: save it again there.",
)
UNSIGNED = problem(
    "usage-file-unsigned",
    CallerError,
    "The usage reports of {device} are not signed, and it has a trust code of this server.",
    "Save them again on the device; if it has lost its trust code, remove the product instance here first.",
)
OTHER_TRUST = problem(
    "usage-file-other-trust",
    CallerError,
    "The usage reports of {device} are signed with a trust code that this server does not know.",
    "Give the file to the server that gave the trust code, or get one of this server.",
)
MIXED = problem(
    "usage-file-mixed",
    CallerError,
    "The file is of {device}, and a usage report in it is of another device.",
    "Import the file of each device as that device saved it.",
)
CHANGED = problem(
    "usage-file-changed",
    CallerError,
    "This server has usage report {report_id} of {device} already, with another content.",
    "Two devices may share one folder's copy, or the file was changed: nothing of it was taken.",
)
REGISTERED = problem(
    "usage-file-registered",
    CallerError,
    "{device} is registered on this server: it reports counts, and no usage reports.",
    "De-register it before it uses policies (`smartlic policy`).",
)
ELSEWHERE = problem(
    "usage-file-elsewhere",
    CallerError,
    "{device} is in {account} / {virtual_account} already.",
    "Import the file without naming an account, or transfer the product instance first.",
)


@dataclass(frozen=True)
class Taken:
    """What comes of a file: `events` to keep, and `result` to sign. `new`: reports that were not there."""

    instance: Instance
    events: list[events.Event]
    result: LicenseUsageResult
    reports: int
    new: int


def take(
    state: State,
    data: bytes,
    *,
    account: str | None,
    virtual_account: str | None,
    now: float,
    random: Callable[[int], bytes],
) -> Taken:
    """`account`, `virtual_account`: where a device that is new here belongs; None: the default ones."""
    if len(data) > MAX_FILE:
        raise TOO_LARGE(limit=MAX_FILE)
    file, content = _read(data)
    device = str(content.udi)
    digest = device_digest(content.udi, content.software_id)
    instance = state.instances.get(state.by_identity.get(digest, ""))
    happened: list[events.Event] = []
    if instance is None:
        if file.signature is not None:
            raise OTHER_TRUST(device=device)
        instance = _new(content, account or DEFAULT_ACCOUNT, virtual_account or DEFAULT_VIRTUAL_ACCOUNT)
        instance.piid, instance.registered_at, instance.last_contact = new_uuid(random), now, now
        happened.append(events.InstanceImported(instance=instance))
    else:
        _check(instance, file, device)
        wanted = (account or instance.account, virtual_account or instance.virtual_account)
        if wanted != (here := (instance.account, instance.virtual_account)):
            raise ELSEWHERE(device=device, account=here[0], virtual_account=here[1])
    policy = accounts.active(state, instance.account, instance.virtual_account).policy
    taken, acknowledged = usage.take(state, instance.piid, content.reports, now)
    for report in content.reports:
        if (report_id := report.asset_identification.report_id) not in acknowledged:
            raise CHANGED(device=device, report_id=report_id)
    if taken:
        counts, measured = usage.counted(instance, taken)
        event = events.ReportsImported(
            piid=instance.piid, reports=taken, usage=counts, measured=measured, policy=policy
        )
        happened.append(event)
    result = LicenseUsageResult(report_ids=acknowledged, policy=policy, device=digest.hex())
    return Taken(instance, happened, result, len(content.reports), len(taken))


def _read(data: bytes) -> tuple[UsageFile, UsageContent]:
    try:
        file, content = usage_file.unpack(data)
        content.udi.validated()
        software_id(content.software_id)
        if content.hostname is not None:
            printable(content.hostname, "hostname")
    except smart.Malformed as error:
        raise DAMAGED(why=str(error)) from None
    except SmartlicError as error:
        raise DAMAGED(why=error.sentence.rstrip(".")) from None
    expected = (content.software_id, usage_file.sudi_of(content.udi))
    for report in content.reports:
        of = report.asset_identification
        if (of.asset.name, of.instance.sudi) != expected:
            raise MIXED(device=str(content.udi))
        _known_shape(report.meta.entitlement_tag)
    return file, content


def _known_shape(tag: str) -> None:
    try:
        entitlement_tag(tag)
    except SmartlicError as error:
        raise DAMAGED(why=error.sentence.rstrip(".")) from None


def _check(instance: Instance, file: UsageFile, device: str) -> None:
    """Whether the file may speak for an instance that is known."""
    if instance.mode is not Mode.POLICY:
        raise REGISTERED(device=device)
    if not instance.public_key:
        if file.signature is not None:
            raise OTHER_TRUST(device=device)
        return
    if file.signature is None:
        raise UNSIGNED(device=device)
    key = load_der_public_key(instance.public_key)
    if not signing.verify(key, file.content.encode(), file.signature.value):  # type: ignore[arg-type]
        raise FORGED(device=device)


def _new(content: UsageContent, account: str, virtual_account: str) -> Instance:
    """An instance without a key; its id and times are the caller's."""
    return Instance(
        piid="",
        name=content.hostname or str(content.udi),
        udi=content.udi,
        software_id=content.software_id,
        account=account,
        virtual_account=virtual_account,
        public_key=b"",
        certificate_serial="",
        registered_at=0.0,
        last_contact=0.0,
        last=LastMessage(sequence=0, message_id="", meaning="", result=Acknowledged()),
        mode=Mode.POLICY,
    )
