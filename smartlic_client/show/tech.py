"""`show license tech support`.

Genie's parser wants each line of what IOS XE prints here. What tells of IOS XE's own insides, and not of the
device's licensing, has the value that it has on a device at rest; those lines are in `_INSIDES`.
"""

from __future__ import annotations

from smartlic_client.show.everything import report_counts, state_sections, titled
from smartlic_client.show.model import License, Member, Model, Statistic
from smartlic_client.show.status import TRANSPORTS
from smartlic_client.show.usage import ENFORCEMENTS, export_status, license_status, udis
from smartlic_client.show.words import EMPTY, NONE, Zone, clean, date, duration, either, page, shout

__all__ = ["tech_support"]

_MODE_NUMBERS = {
    "waiting": 1,
    "in-compliance": 3,
    "out-of-compliance": 4,
    "overage": 5,
    "evaluation": 6,
    "evaluation-expired": 7,
    "authorization-expired": 8,
    "reservation-in-compliance": 9,
    "invalid-tag": 10,
    "disabled": 11,
}
_STATISTICS = {
    "Trust Establishment": "TRUST",
    "Trust Acknowledgement": "",
    "Usage Reporting": "LICENSE_USAGE",
    "Result Polling": "POLL",
    "Authorization Request": "AUTHORIZATION",
    "Authorization Confirmation": "",
    "Authorization Return": "",
    "Trust Sync": "TRUST_SYNC",
    "Hello Message": "HELLO",
}
_CLASSIC_STATISTICS = {
    "Registration": "REGISTRATION",
    "Registration Renewal": "ID_CERT_RENEWAL",
    "Authorization Renewal": "AUTHORIZATION",
    "De-registration": "DEREGISTRATION",
    "Result Polling": "POLL",
    "Hello Message": "HELLO",
}
_NEVER = "Expired Not Rescheduled"
_INSIDES = """\
Check Point Interface: True
Config Management Interface: False
License Map Interface: True
HA Interface: True
Trusted Store Interface: True
Platform Data Interface: True
Crypto Version 2 Interface: False
SAPluginMgmtInterfaceMutex: True
SAPluginMgmtIPDomainName: True
SmartAgentClientWaitForServer: 2000
SmartAgentCmReTrySend: True
SmartAgentClientIsUnified: True
SmartAgentCmClient: True
SmartAgentClientName: UnifiedClient
builtInEncryption: True
enableOnInit: True
routingReadyByEvent: True
systemInitByEvent: True
SmartTransportServerIdCheck: True
SmartTransportProxySupport: True
SmartAgentMaxRumMemory: 50
SmartAgentConcurrentThreadMax: 10
SmartAgentPolicyControllerModel: False
SmartAgentPolicyModel: True
SmartAgentFederalLicense: True
SmartAgentMultiTenant: False
attr365DayEvalSyslog: True
checkPointWriteOnly: False
SmartAgentDelayCertValidation: False
enableByDefault: True
conversionAutomatic: False
conversionAllowed: False
storageEncryptDisable: False
storageLoadUnencryptedDisable: False
TSPluginDisable: False
bypassUDICheck: False
loggingAddTStamp: False
loggingAddTid: True
HighAvailabilityOverrideEvent: UnknownPlatformEvent
platformIndependentOverrideEvent: UnknownPlatformEvent
platformOverrideEvent: UnknownPlatformEvent
WaitForHaRole: False
standbyIsHot: True
chkPtType: 2
delayCommInit: False
roleByEvent: True
maxTraceLength: 150
traceAlwaysOn: True
debugFlags: 0
Event log max size: 5120 KB
Event log current size: 0 KB""".splitlines()


def tech_support(model: Model, zone: Zone) -> str:
    """The text of `show license tech support`."""
    classic = model.policy is None
    state = state_sections(model, zone)
    if classic:
        state.append(_evaluation(model))
    return page(
        [
            ["Smart Licensing Tech Support info"],
            *titled("Smart Licensing Status", state, apart=True),
            *titled("License Usage", _handles(model, zone)),
            *titled("Product Information", udis(model)),
            *titled("Agent Version", [[f"Smart Agent for Licensing: {clean(model.agent_version)}"]]),
            *titled("Upcoming Scheduled Jobs", [_jobs(model, zone)]),
            ["Communication Statistics:", "=" * 23, *_statistics(model, zone)],
            *titled("License Certificates", [_certificates(model, zone)]),
            ["HA Info", "=" * 10, *_ha(model)],
            *titled("Reservation Info", _reservation(model)),
            [] if classic else _summary(model),
            *titled("Other Info", [_other(model)]),
        ]
    )


def _evaluation(model: Model) -> list[str]:
    return [
        "Evaluation Period:",
        f"  Evaluation Mode: {either(model.evaluation.in_use, 'In Use', 'Not In Use')}",
        f"  Evaluation Period Remaining: {duration(model.evaluation.remaining)}",
    ]


# ---- licenses ---------------------------------------------------------------------------------------------
def _handles(model: Model, zone: Zone) -> list[list[str]]:
    if not model.licenses:
        return [["No licenses in use"]]
    return [_handle(model, number, used, zone) for number, used in enumerate(model.licenses, 1)]


def _handle(model: Model, number: int, used: License, zone: Zone) -> list[str]:
    description = clean(used.description or used.name)
    code = _MODE_NUMBERS[used.mode] if model.policy is None else (15 if used.count else 1)
    lines = [
        f"Handle: {number}",
        f"  License: {clean(used.name)}",
        f"  Entitlement Tag: {clean(used.tag)}",
        f"  Description: {description}",
        f"  Count: {used.count}",
        f"  Version: {clean(used.version)}",
        f"  Status: {license_status(model, used)}({code})",
        f"  Status time: {date(used.changed, zone, 'None')}",
        f"  Request Time: {date(used.asked, zone, 'None')}",
        f"  Export status: {export_status(model, used)}",
        f"  Feature Name: {clean(used.name)}",
        f"  Feature Description: {description}",
    ]
    if model.policy is not None:
        lines += [
            f"  Enforcement type: {ENFORCEMENTS[used.enforcement]}",
            f"  License type: {used.term.capitalize()}",
            "  Measurements:",
            "    ENTITLEMENT:",
            "      Interval: 00:15:00",
            f"      Current Value: {used.count}",
            f"      Current Report: {used.report}       Previous: {used.former_report}",
        ]
    lines.append("  Soft Enforced: True")
    return lines


# ---- what comes next, and how messages fared --------------------------------------------------------------
def _jobs(model: Model, zone: Zone) -> list[str]:
    def at(moment: float | None) -> str:
        if moment is None:
            return _NEVER
        return f"{date(moment, zone)} ({duration(moment - model.now)} remaining)"

    registering, using_policy = model.registration, model.policy is not None
    return [
        f"Current time: {date(model.now, zone)}",
        f"Daily: {_NEVER}",
        f"Authorization Renewal: {at(model.authorization.next_attempt)}",
        f"Init Flag Check: {_NEVER}",
        f"Register Period Expiration Check: {at(registering.expires)}",
        f"Ack Expiration Check: {at(model.usage.next_ack_deadline if using_policy else None)}",
        f"Reservation configuration mismatch between nodes in HA mode: {_NEVER}",
        *([] if using_policy else [f"ID Certificate Renewal: {at(registering.next_renewal)}"]),
        f"Retrieve data processing result: {at(model.usage.next_ack_check if using_policy else None)}",
        f"Start Utility Measurements: {_NEVER}",
        f"Send Utility RUM reports: {at(model.usage.next_push if using_policy else None)}",
        f"Save unreported RUM Reports: {_NEVER}",
        f"Process Utility RUM reports: {_NEVER}",
        f"Authorization Code Process: {_NEVER}",
        f"Data Synchronization: {_NEVER}",
        f"External Event: {_NEVER}",
        f"Operational Model: {_NEVER}",
    ]


def _statistics(model: Model, zone: Zone) -> list[str]:
    direct = {"callhome": "DIRECT", "smart": "DIRECT", "cslu": "INDIRECT", "off": "NONE"}
    lines = [
        f"Communication Level Allowed: {direct[model.transport.type]}",
        f"Overall State: {EMPTY}",
    ]
    for title, kind in (_CLASSIC_STATISTICS if model.policy is None else _STATISTICS).items():
        lines += _statistic(title, model.statistics.get(kind, Statistic()), zone)
    return lines


def _statistic(title: str, shown: Statistic, zone: Zone) -> list[str]:
    last = NONE
    if shown.last_response is not None:
        last = f"{clean(shown.last_response)[:100]} on {date(shown.last_response_at, zone)}"
    return [
        f"{title}:",
        f"  Attempts: Total={shown.total}, Success={shown.success}, Fail={shown.total - shown.success}"
        f"  Ongoing Failure: Overall={shown.failing} Communication={shown.lost}",
        f"  Last Response: {last}",
        f"    Failure Reason: {clean(shown.reason)}",
        f"  Last Success Time: {date(shown.last_success, zone)}",
        f"  Last Failure Time: {date(shown.last_failure, zone)}",
    ]


# ---- the device -------------------------------------------------------------------------------------------
def _certificates(model: Model, zone: Zone) -> list[str]:
    # Production is Cisco's: the roots of this toolkit's mock are not.
    lines = ["Production Cert: False"]
    if model.certificate is None:
        return [*lines, "Not registered. No certificates installed"]
    certificate = model.certificate
    return (
        [
            *lines,
            f"PIID: {clean(certificate.piid)}",
            "ID Cert Info:",
            f"  Start Date: {date(certificate.valid_from, zone)}. Version 3",
            f"  Expiry Date: {date(certificate.valid_until, zone)}",
            f"  Serial Number: {clean(certificate.serial_number)}",
        ]
        if model.policy is None
        else lines
    )


def _ha(model: Model) -> list[str]:
    several = len(model.members) > 1
    return [
        "RP Role: Active",
        "Chassis Role: Active",
        "Behavior Role: Active",
        f"RMF: {shout(several)}",
        f"CF: {shout(several)}",
        "CF State: Stateless",
        "Message Flow Allowed: True",
    ]


def _reservation(model: Model) -> list[list[str]]:
    overall = ["Overall status:"]
    for unit in model.units:
        overall += [
            f"  {unit.role}: {clean(str(unit.udi))}",
            "    Reservation status: NOT INSTALLED",
            f"    Request code: {NONE}",
            f"    Last return code: {NONE}",
            f"    Last Confirmation code: {NONE}",
            f"    Reservation authorization code: {NONE}",
        ]
    sections = [["License reservation: DISABLED"], overall]
    if model.policy is not None:
        sections.append(["Purchased Licenses:", "  No Purchase Information Available"])
    return sections


def _summary(model: Model) -> list[str]:
    counts = report_counts(model)
    return [
        "Usage Report Summary:",
        "=" * 21,
        f"Total: {counts['total']},  Purged: {model.purged_reports}({model.purged_reports})",
        f"Total Acknowledged Received: {counts['acknowledged']},  "
        f"Waiting for Ack: {counts['waiting']}({counts['waiting']})",
        f"Available to Report: {counts['available']}  Collecting Data: {counts['open']}",
        f"Maximum Display: {counts['total']}  In Storage: {counts['total']},  MIA: 0(0)",
        "Report Module Status: Ready",
    ]


def _other(model: Model) -> list[str]:
    agent = "policy" if model.policy is not None else model.authorization.state
    return [
        f"Software ID: {clean(model.software_id)}",
        f"Agent State: {agent}",
        "TS enable: True",
        f"Transport: {TRANSPORTS[model.transport.type]}",
        f"  Default URL: {clean(model.transport.url, EMPTY)}",
        "Locale: en_US.UTF-8",
        "Debug flags: 0x7",
        f"Privacy Send Hostname: {shout(not model.privacy.hostname)}",
        "Privacy Send IP: True",
        "Build type:: Mock",
        *(f"{f'sizeof({name})':<14}: {size}" for name, size in _SIZES.items()),
        "Endian: Little",
        "Write Erase Occurred: False",
        "XOS version: 0.0.0.0",
        "Config Persist Received: True",
        f"Message Version: {clean(model.message_version)}",
        # Genie's parser takes no line here that IOS XE does not print; it reads Using Policy only.
        *([] if model.policy else [f"Hostname: {clean(model.hostname)}"]),
        f"agent.capabilities: {clean(', '.join(model.capabilities))}",
        *_INSIDES,
        *(_trust(unit, local=number == 0) for number, unit in enumerate(model.units)),
        f"Overall Trust: {either(model.trusted, 'INSTALLED (2)', 'No ID')}",
    ]


_SIZES = {"char": 1, "int": 4, "long": 8, "char *": 8, "time_t": 8, "size_t": 8}


def _trust(unit: Member, local: bool) -> str:
    where = f"P:{clean(unit.udi.pid)},S:{clean(unit.udi.sn)}"
    if unit.trusted is not None:
        state = f"{where}, state[2], Trust Data INSTALLED"
    else:
        state = f"{where}, state[1], NOT INSTALLED"
    return f"Local Device: {state}" if local else f"{where}: {state}"
