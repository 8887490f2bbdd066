"""Scenario B: product instances register by the VIP, through failover and fallback.

The steps are those of the operators' procedure, with its ids. B1.7 is played before B1.5: it shows what
happens to a product that registers before the synchronization.
"""

from __future__ import annotations

from mock_server.demo.play import Step
from mock_server.demo.stage import Stage

__all__ = ["DEVICES", "STEPS"]

DNA = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"
UCM = "regid.2016-07.com.cisco.UCM_EnhancedUser,12.0_9a8b1f0e-5c32-4a0b-8f6d-2f1f8f0d7c11"
PI = "regid.2017-09.com.cisco.PI_Lifecycle,1.0_4be0c6a7-1a5c-4c1f-9d22-6f3f0e9a5b02"
LICENSES = {"DNA Premier 50M": (DNA, 10), "UCM Enhanced User": (UCM, 50), "PI Lifecycle": (PI, 20)}
C9300 = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"
CUCM = "regid.2016-07.com.cisco.CUCM,12.0_5b1f6f0e-77b4-4a90-9d1c-0f8c2c9f1e10"
PRIME = "regid.2017-09.com.cisco.PrimeInfrastructure,3.0_0c9d2a6b-8a0f-4c53-9b6e-1d2f3a4b5c6d"

# name → (product id, serial number, software id, license, count)
DEVICES = {
    "annanr-39": ("C9300-24T", "FOC2705Y8X0", C9300, DNA, 3),
    "cucmpub": ("UCS-CUCM", "FCH2034V1KA", CUCM, UCM, 12),
    "pi37": ("PI-APL", "FCH1937V2QT", PRIME, PI, 5),
    "cucm-pub-30": ("UCS-CUCM", "FCH2110V0ZB", CUCM, UCM, 20),
}
FIRST, SECOND = ("annanr-39", "cucmpub"), ("pi37", "cucm-pub-30")

STOP = ["Stopping Cluster (pacemaker)...", "Stopping Cluster (corosync)..."]
START = ["Starting Cluster (corosync)...", "Starting Cluster (pacemaker)..."]


def _prepare(stage: Stage) -> str:
    for name, (tag, quantity) in LICENSES.items():
        stage.ask("license.add", name=name, tag=tag, quantity=quantity)
    stage.token = stage.ask("token.create", uses=4, days=1, description="demo")["token"]
    return "licenses purchased, an ID token with 4 uses made"


def _make(stage: Stage, *names: str) -> str:
    return "; ".join(stage.make_device(name, *DEVICES[name][:3]) for name in names)


def _register(stage: Stage, *names: str) -> str:
    return "; ".join(stage.register(name) for name in names)


def _use(stage: Stage, *names: str) -> str:
    return "; ".join(stage.use(name, *DEVICES[name][3:]) for name in names)


def _listed(stage: Stage, *names: str) -> dict[str, dict[str, object]]:
    """What the page Product Instances shows of some of them."""
    found = stage.instances()
    return {
        name: {
            "product type": found[name]["product_type"],
            "has last contact": bool(found[name]["last_contact"]),
            "licenses": {used["license"]: used["count"] for used in found[name]["licenses"]},
        }
        for name in names
        if name in found
    }


def _expected(*names: str) -> dict[str, dict[str, object]]:
    return {
        name: {
            "product type": DEVICES[name][0],
            "has last contact": True,
            "licenses": {_license(name): DEVICES[name][4]},
        }
        for name in names
    }


def _license(name: str) -> str:
    """The name of the license that a device uses."""
    return next(license_ for license_, (tag, _) in LICENSES.items() if tag == DEVICES[name][3])


def _totals(*names: str) -> dict[str, int]:
    return {
        license_: sum(DEVICES[name][4] for name in names if _license(name) == license_)
        for license_ in LICENSES
    }


def _certificate(stage: Stage) -> dict[str, object]:
    found = stage.ask("certificates")
    vip = stage.config.vip.host
    return {"set to the VIP": found["common_name"] == vip, "served with the VIP": found["served_name"] == vip}


def _refused(stage: Stage) -> dict[str, object]:
    code = stage.refusal("annanr-39")
    token = stage.ask("token.list")["tokens"][0]
    return {"refused": code, "token uses spent": token["used"], "instances": len(stage.instances())}


def _why(stage: Stage) -> str:
    _make(stage, *FIRST)
    stage.refusal("annanr-39")
    return f"annanr-39 tries to register: {stage.last_error.sentence} What to do: {stage.last_error.mend}"


def _states(stage: Stage) -> dict[str, object]:
    return {
        "roles": stage.roles(),
        "heartbeat": stage.status()["heartbeat"],
        "both show the same": len({str(stage.console(n, "ha_status")) for n in ("primary", "secondary")})
        == 1,
    }


def _side_by_side(stage: Stage, node: str) -> list[str]:
    """The rows of `ha_status` on one server's console that tell of both."""
    wanted = ("Address", "Role", "Cluster", "Database")
    return [line for line in stage.console(node, "ha_status") if line.startswith(wanted)]


P_ACTIVE = {"Primary": "Active", "Secondary": "Standby"}
S_ACTIVE = {"Primary": "Standby", "Secondary": "Active"}


def _ordered(lines: list[str], wanted: list[str]) -> list[str]:
    return [line for line in lines if line in wanted]


class _Console:
    """A console command as a step: done once, and its own lines are what is seen."""

    def __init__(self, node: str, line: str) -> None:
        self.node, self.line = node, line
        self.said: list[str] = []

    def do(self, stage: Stage) -> str:
        self.said = stage.console(self.node, self.line)
        return f"console of the {self.node.capitalize()}: {self.line}"

    def see(self, _stage: Stage) -> list[str]:
        return _ordered(self.said, STOP + START)


def _console(step: str, title: str, node: str, line: str, expected: list[str]) -> Step[Stage]:
    command = _Console(node, line)
    return Step(step, title, command.do, command.see, expected)


def _role(step: str, title: str, server: str, role: str, *, pictures: bool = False) -> Step[Stage]:
    return Step(step, title, None, lambda s: s.roles()[server], role, pictures)


def _heartbeat(step: str, state: str) -> Step[Stage]:
    return Step(step, f"Heartbeat is {state}", None, lambda s: s.status()["heartbeat"], state)


def _gui(step: str, title: str, down: str) -> Step[Stage]:
    def see(stage: Stage) -> dict[str, str]:
        return {"vip": stage.gui("vip"), down: stage.gui(down)}

    return Step(step, title, None, see, {"vip": "answers", down: "down"})


def _registration(step: str, title: str, name: str) -> Step[Stage]:
    return Step(step, title, lambda s: _register(s, name), lambda s: s.states(name), {name: "complete"})


B1: list[Step[Stage]] = [
    Step(
        "B1.1",
        "Primary is Active, Secondary is Standby, the VIP answers",
        _prepare,
        lambda s: {"roles": s.roles(), "vip": s.gui("vip")},
        {"roles": P_ACTIVE, "vip": "answers"},
    ),
    Step(
        "B1.2",
        "Primary is Replication Master, Secondary Replication Slave",
        None,
        Stage.databases,
        {"Primary": "Replication Master", "Secondary": "Replication Slave"},
        pictures=True,
    ),
    Step(
        "B1.3",
        "Host Common Name is set to the VIP (Security > Certificates)",
        lambda s: f"Host Common Name: {s.ask('common-name', name=s.config.vip.host)['common_name']}",
        _certificate,
        {"set to the VIP": True, "served with the VIP": False},
    ),
    Step(
        "B1.4",
        "It equals the host in the products' destination URL",
        None,
        lambda s: s.ask("certificates")["common_name"] == s.url.split("//")[1].rsplit(":", 1)[0].strip("[]"),
        True,
    ),
    Step(
        "B1.7",
        "Before the synchronization the client refuses, and says why",
        _why,
        _refused,
        {"refused": "name-mismatch", "token uses spent": 0, "instances": 0},
    ),
    Step(
        "B1.5",
        "Synchronizing the local accounts regenerates the certificates",
        lambda s: f"synchronized: {', '.join(s.ask('synchronize')['synchronized'])}",
        _certificate,
        {"set to the VIP": True, "served with the VIP": True},
    ),
    Step(
        "B1.6",
        "The synchronization came before any product registered",
        None,
        lambda s: {"instances": len(s.instances()), "accounts waiting": _waiting(s)},
        {"instances": 0, "accounts waiting": 0},
    ),
    Step(
        "B1.8",
        "annanr-39 and cucmpub register by the VIP and are listed",
        lambda s: _register(s, *FIRST),
        lambda s: sorted(s.instances()),
        sorted(FIRST),
    ),
    Step(
        "B1.9",
        "The licenses that they use show under Licenses",
        lambda s: _use(s, *FIRST),
        lambda s: {"licenses": s.in_use(), "instances": _listed(s, *FIRST)},
        {"licenses": _totals(*FIRST), "instances": _expected(*FIRST)},
    ),
]


def _waiting(stage: Stage) -> int:
    return sum(account["to_synchronize"] for account in stage.ask("account.list")["accounts"])


B2: list[Step[Stage]] = [
    _console("B2.1", "The cluster is stopped on the Primary", "primary", "ha_cluster_stop", STOP),
    _gui("B2.2", "GUI by the VIP; the Primary's GUI is down", "primary"),
    _role("B2.3", "Secondary is Active", "Secondary", "Active", pictures=True),
    _heartbeat("B2.4", "disconnected"),
    _role("B2.5", "Primary is Standby", "Primary", "Standby"),
    Step(
        "B2.6",
        "A product has the VIP in its Transport Gateway URL",
        lambda s: _make(s, "pi37"),
        lambda s: s.states("pi37"),
        {"pi37": "not-registered"},
    ),
    _registration("B2.7", "pi37 registers by the VIP", "pi37"),
    Step(
        "B2.8",
        "Another has the VIP in its Transport Gateway URL",
        lambda s: _make(s, "cucm-pub-30"),
        lambda s: s.states("cucm-pub-30"),
        {"cucm-pub-30": "not-registered"},
    ),
    Step(
        "B2.9",
        "The product shows: Registration completed successfully",
        lambda s: _register(s, "cucm-pub-30"),
        lambda s: s.states("cucm-pub-30"),
        {"cucm-pub-30": "complete"},
    ),
    Step(
        "B2.10",
        "cucm-pub-30 is registered by the VIP",
        None,
        lambda s: "cucm-pub-30" in s.instances(),
        True,
    ),
    Step(
        "B2.11",
        "pi37 and cucm-pub-30 are listed under Product Instances",
        None,
        lambda s: sorted(name for name in s.instances() if name in SECOND),
        sorted(SECOND),
    ),
    Step(
        "B2.12",
        "Their licenses show under Licenses",
        lambda s: _use(s, *SECOND),
        lambda s: {"licenses": s.in_use(), "instances": _listed(s, *SECOND)},
        {"licenses": _totals(*DEVICES), "instances": _expected(*SECOND)},
    ),
    _console("B2.13", "The cluster is started on the Primary", "primary", "ha_cluster_start", START),
    Step(
        "B2.14",
        "The Primary's database is replicated from the Secondary",
        None,
        Stage.databases,
        {"Primary": "Replication Slave", "Secondary": "Replication Master"},
    ),
    Step(
        "B2.15",
        "Both servers' states are shown side by side",
        None,
        _states,
        {"roles": S_ACTIVE, "heartbeat": "connected", "both show the same": True},
        pictures=True,
    ),
    Step(
        "B2.16",
        "Heartbeat connected, Secondary Active, Primary Standby (no automatic fallback)",
        None,
        lambda s: {"heartbeat": s.status()["heartbeat"], "roles": s.roles()},
        {"heartbeat": "connected", "roles": S_ACTIVE},
    ),
]
B3: list[Step[Stage]] = [
    _console("B3.1", "The cluster is stopped on the Secondary", "secondary", "ha_cluster_stop", STOP),
    Step(
        "B3.2",
        "The state of both databases is shown, the Secondary's down",
        None,
        Stage.databases,
        {"Primary": "Replication Master", "Secondary": "down"},
        pictures=True,
    ),
    _gui("B3.3", "GUI by the VIP; the Secondary's GUI is down", "secondary"),
    _role("B3.4", "Primary is Active", "Primary", "Active"),
    _heartbeat("B3.5", "disconnected"),
    _role("B3.6", "Secondary is Standby", "Secondary", "Standby"),
    _gui("B3.7", "GUI by the VIP and not by the Secondary's address", "secondary"),
    _console("B3.8", "The cluster is started on the Secondary", "secondary", "ha_cluster_start", START),
    Step(
        "B3.9",
        "Primary is Replication Master, Secondary Replication Slave",
        None,
        Stage.databases,
        {"Primary": "Replication Master", "Secondary": "Replication Slave"},
    ),
    Step(
        "B3.10",
        "Heartbeat connected; Primary Active, Secondary Standby",
        None,
        lambda s: {"heartbeat": s.status()["heartbeat"], "roles": s.roles()},
        {"heartbeat": "connected", "roles": P_ACTIVE},
        pictures=True,
    ),
    Step(
        "B3.11",
        "All four product instances are listed",
        None,
        lambda s: _listed(s, *s.instances()),
        _expected(*DEVICES),
    ),
    Step(
        "B3.12",
        "The licenses that all four use show under Licenses",
        None,
        Stage.in_use,
        _totals(*DEVICES),
    ),
]
STEPS: list[Step[Stage]] = [*B1, *B2, *B3]
