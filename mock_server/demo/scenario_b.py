"""Scenario B: product instances register by the VIP, through failover and fallback.

The steps are those of the operators' procedure, with its ids. B1.7 is played before B1.5: it shows what
happens to a product that registers before the synchronization.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from mock_server.demo import products, steps
from mock_server.demo.play import Step
from mock_server.demo.products import DEVICES, FIRST, SECOND
from mock_server.demo.scenario import Scenario
from mock_server.demo.stage import Addresses, Stage
from mock_server.demo.steps import P_ACTIVE, S_ACTIVE

__all__ = ["SCENARIO"]


def _certificate(stage: Stage) -> dict[str, object]:
    found = stage.ask("certificates")
    vip = stage.product_host
    return {"set to the VIP": found["common_name"] == vip, "served with the VIP": found["served_name"] == vip}


def _refused(stage: Stage) -> dict[str, object]:
    code = stage.refusal("annanr-39")
    token = stage.ask("token.list")["tokens"][0]
    return {"refused": code, "token uses spent": token["used"], "instances": len(stage.instances())}


def _why(stage: Stage) -> str:
    products.make(stage, *FIRST)
    return stage.try_to_register("annanr-39")[1]


def _registration(step: str, title: str, name: str) -> Step[Stage]:
    return Step(
        step, title, lambda s: products.register(s, name), lambda s: s.states(name), {name: "complete"}
    )


B1: list[Step[Stage]] = [
    Step(
        "B1.1",
        "Primary is Active, Secondary is Standby, the VIP answers",
        lambda s: products.purchase(s, uses=4),
        lambda s: {"roles": s.roles(), "vip": s.gui("vip")},
        {"roles": P_ACTIVE, "vip": "answers"},
    ),
    steps.replication(
        "B1.2", "Primary is Replication Master, Secondary Replication Slave", "primary", "servers"
    ),
    Step(
        "B1.3",
        "Host Common Name is set to the VIP (Security > Certificates)",
        lambda s: f"Host Common Name: {s.ask('common-name', name=s.product_host)['common_name']}",
        _certificate,
        {"set to the VIP": True, "served with the VIP": False},
    ),
    Step(
        "B1.4",
        "It equals the host in the products' destination URL",
        None,
        lambda s: s.ask("certificates")["common_name"] == urlsplit(s.url).hostname,
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
        lambda s: products.register(s, *FIRST),
        lambda s: sorted(s.instances()),
        sorted(FIRST),
    ),
    Step(
        "B1.9",
        "The licenses that they use show under Licenses",
        lambda s: products.use(s, *FIRST),
        lambda s: {"licenses": s.in_use(), "instances": products.listed(s, *FIRST)},
        {"licenses": products.totals(*FIRST), "instances": products.expected(*FIRST)},
    ),
]


def _waiting(stage: Stage) -> int:
    return sum(account["to_synchronize"] for account in stage.ask("account.list")["accounts"])


B2: list[Step[Stage]] = [
    steps.stop("B2.1", "The cluster is stopped on the Primary", "primary"),
    steps.gui("B2.2", "GUI by the VIP; the Primary's GUI is down", "primary"),
    steps.role("B2.3", "Secondary is Active", "Secondary", "Active", "servers"),
    steps.heartbeat("B2.4", "disconnected"),
    steps.role("B2.5", "Primary is Standby", "Primary", "Standby"),
    Step(
        "B2.6",
        "A product has the VIP in its Transport Gateway URL",
        lambda s: products.make(s, "pi37"),
        lambda s: s.states("pi37"),
        {"pi37": "not-registered"},
    ),
    _registration("B2.7", "pi37 registers by the VIP", "pi37"),
    Step(
        "B2.8",
        "Another has the VIP in its Transport Gateway URL",
        lambda s: products.make(s, "cucm-pub-30"),
        lambda s: s.states("cucm-pub-30"),
        {"cucm-pub-30": "not-registered"},
    ),
    Step(
        "B2.9",
        "The product shows: Registration completed successfully",
        lambda s: products.register(s, "cucm-pub-30"),
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
        lambda s: products.use(s, *SECOND),
        lambda s: {"licenses": s.in_use(), "instances": products.listed(s, *SECOND)},
        {"licenses": products.totals(*DEVICES), "instances": products.expected(*SECOND)},
    ),
    steps.start("B2.13", "The cluster is started on the Primary", "primary"),
    steps.replication("B2.14", "The Primary's database is replicated from the Secondary", "secondary"),
    steps.side_by_side("B2.15", "Both servers' states are shown side by side", "secondary"),
    steps.heartbeat_and_roles(
        "B2.16", "Heartbeat connected, Secondary Active, Primary Standby (no automatic fallback)", S_ACTIVE
    ),
]
B3: list[Step[Stage]] = [
    steps.stop("B3.1", "The cluster is stopped on the Secondary", "secondary"),
    steps.shown_of_stopped("B3.2", "The state of both databases is shown, the Secondary's down", "secondary"),
    steps.gui("B3.3", "GUI by the VIP; the Secondary's GUI is down", "secondary"),
    steps.role("B3.4", "Primary is Active", "Primary", "Active"),
    steps.heartbeat("B3.5", "disconnected"),
    steps.role("B3.6", "Secondary is Standby", "Secondary", "Standby"),
    steps.gui("B3.7", "GUI by the VIP and not by the Secondary's address", "secondary"),
    steps.start("B3.8", "The cluster is started on the Secondary", "secondary"),
    steps.replication("B3.9", "Primary is Replication Master, Secondary Replication Slave", "primary"),
    steps.heartbeat_and_roles(
        "B3.10", "Heartbeat connected; Primary Active, Secondary Standby", P_ACTIVE, "servers"
    ),
    Step(
        "B3.11",
        "All four product instances are listed",
        None,
        lambda s: products.listed(s, *s.instances()),
        products.expected(*DEVICES),
    ),
    Step(
        "B3.12",
        "The licenses that all four use show under Licenses",
        None,
        Stage.in_use,
        products.totals(*DEVICES),
        "instances",
    ),
]
SCENARIO = Scenario(
    "B",
    "product instances register by the VIP, through failover and fallback",
    Addresses("127.0.0.11", "127.0.0.9", "127.0.0.14"),
    {"B1": "High availability in place", "B2": "Failover", "B3": "Fallback"},
    (*B1, *B2, *B3),
)
