"""Scenario C: a cluster becomes a stand-alone server in place, and what comes next (N).

The steps are those of the operators' procedure, with its ids. C.3 and C.4 are played after C.7: they show
what is left when both servers are torn down. N_4 is played before N_2: it shows what happens to a product
that registers before the synchronization.
"""

from __future__ import annotations

from typing import Any, Literal

from mock_server.demo import products
from mock_server.demo.play import Step
from mock_server.demo.scenario import VIP_PROBES, Scenario
from mock_server.demo.stage import Addresses, Stage
from mock_server.demo.steps import P_ACTIVE

__all__ = ["SCENARIO"]

OLD, NEW = "annanr-39", "cucmpub"
"""The product that was registered by the VIP, and one that comes after the teardown."""

WARNING = (
    "WARNING: The HA cluster configuration is about to be destroyed, and this server converted to "
    "stand-alone mode."
)
DESTROYED = "The HA cluster has been destroyed. This server is in stand-alone mode."
PROGRESS = [
    "Starting the teardown of the HA cluster...",
    "The cluster's record says: stand-alone. Giving up the VIP...",
    "The VIP is given up. Heartbeat and replication are closed.",
]
NOT_ENABLED = {
    "lines": [
        "Error: cluster is not currently running on this node",
        "Error: HA is not enabled on this server",
    ],
    "outcome": "failed",
}
WIDGET = "High Availability"


# ---- the teardown -----------------------------------------------------------------------------------------
def _in_place(stage: Stage) -> str:
    """A cluster as scenario B leaves it: certificates for the VIP, and a product that uses licenses."""
    done = products.purchase(stage, uses=4)
    stage.ask("common-name", name=stage.product_host)
    stage.ask("synchronize")
    products.make(stage, OLD)
    return f"{done}; {products.register(stage, OLD)}; {products.use(stage, OLD)}"


def _cluster(stage: Stage) -> dict[str, Any]:
    offers = [line.split()[0] for line in stage.console("primary", "help")]
    return {
        "roles": stage.roles(),
        "gui by the VIP": stage.gui("vip"),
        "widget": _widget(stage, "primary"),
        "console offers": "ha_teardown" if "ha_teardown" in offers else "no ha_teardown",
    }


def _teardown(node: Literal["primary", "secondary"]) -> tuple[Any, Any]:
    """The command answered with no, then with yes; and what was seen of both."""

    def do(stage: Stage) -> str:
        refused = stage.talk(node, "ha_teardown", "no")
        after = stage.roles()
        done = stage.talk(node, "ha_teardown", "yes")
        stage.notes[node] = (refused, after, done)
        return f"console of the {node.capitalize()}: ha_teardown, answered with no, then with yes"

    def see(stage: Stage) -> dict[str, Any]:
        refused, after, done = stage.notes[node]
        return {
            "warning": refused.lines[0],
            "questions": len(refused.questions),
            "answered with no": refused.outcome,
            "roles after no": after,
            "answered with yes": done.outcome,
            "roles after yes": stage.roles(),
        }

    return do, see


def _torn_down(before: tuple[str, str], after: tuple[str, str]) -> dict[str, Any]:
    """`before`, `after`: the role of the Primary and of the Secondary."""
    servers = ("Primary", "Secondary")
    return {
        "warning": WARNING,
        "questions": 1,
        "answered with no": "declined",
        "roles after no": dict(zip(servers, before, strict=True)),
        "answered with yes": "done",
        "roles after yes": dict(zip(servers, after, strict=True)),
    }


def _progress(stage: Stage) -> list[str]:
    """What the Primary's teardown said between its question and its end."""
    return [line for line in _said(stage, "primary") if line in PROGRESS]


def _said(stage: Stage, node: str) -> list[str]:
    """The lines of a teardown that was answered with yes; none if it was not done."""
    lines: list[str] = stage.notes[node][2].lines if node in stage.notes else []
    return lines


def _afterwards(stage: Stage) -> dict[str, Any]:
    said = [DESTROYED in _said(stage, node) for node in ("primary", "secondary")]
    status = {node.capitalize(): stage.talk(node, "ha_status") for node in ("primary", "secondary")}
    told = {node: {"lines": talk.lines, "outcome": talk.outcome} for node, talk in status.items()}
    return {"said on both": all(said), **told}


def _not_reusable(stage: Stage) -> dict[str, Any]:
    commands = ("ha_cluster_start", "ha_provision_standby", "ha_deploy")
    return {
        "Primary's gui": stage.gui("primary"),
        "Primary has": sorted(stage.instances()),
        **{command: stage.console_refusal("secondary", command) for command in commands},
    }


def _what_remains(stage: Stage) -> dict[str, Any]:
    return {"roles": stage.roles(), "VIP": stage.gui("vip"), "licenses": stage.in_use()}


def _widget(stage: Stage, node: str) -> str:
    word, page = stage.page(node)
    shown = "shown" if WIDGET in page else "not shown"
    return shown if word == "answers" else f"page: {word}"


def _high_availability(stage: Stage) -> dict[str, Any]:
    """As the servers' status reports it."""
    nodes = stage.ask("status")["nodes"]
    told = {name.capitalize(): node["servers"][name]["cluster"] for name, node in nodes.items()}
    return {**told, "heartbeat": stage.status()["heartbeat"], "VIP held by": stage.status()["vip"]["holder"]}


C: list[Step[Stage]] = [
    Step(
        "C.1",
        "A cluster that can be downgraded in place to a single stand-alone node",
        _in_place,
        _cluster,
        {"roles": P_ACTIVE, "gui by the VIP": "answers", "widget": "shown", "console offers": "ha_teardown"},
        "servers",
    ),
    Step(
        "C.2",
        "ha_teardown is run on the console of the Primary/Active",
        *_teardown("primary"),
        _torn_down(("Active", "Standby"), ("Stand-alone", "Standby")),
    ),
    Step("C.5", "The teardown shows its progress", None, _progress, PROGRESS),
    Step(
        "C.6",
        "It is triggered on the Secondary as well, which warns and asks",
        *_teardown("secondary"),
        _torn_down(("Stand-alone", "Standby"), ("Stand-alone", "Discarded")),
    ),
    Step(
        "C.7",
        "The console says that the cluster is destroyed; ha_status answers with an error",
        None,
        _afterwards,
        {"said on both": True, "Primary": NOT_ENABLED, "Secondary": NOT_ENABLED},
        "servers",
    ),
    Step(
        "C.3",
        "The Primary is verified; the Secondary is discarded and cannot be reused",
        None,
        _not_reusable,
        {
            "Primary's gui": "answers",
            "Primary has": [OLD],
            "ha_cluster_start": "discarded",
            "ha_provision_standby": "discarded",
            "ha_deploy": "discarded",
        },
    ),
    Step(
        "C.4",
        "What remains is a stand-alone system",
        None,
        _what_remains,
        {
            "roles": {"Primary": "Stand-alone", "Secondary": "Discarded"},
            "VIP": "down",
            "licenses": products.totals(OLD),
        },
    ),
    Step(
        "C.8",
        "The page at the Secondary's address shows no High Availability widget",
        None,
        lambda s: _widget(s, "secondary"),
        "not shown",
    ),
    Step(
        "C.9",
        "High Availability is reported as disabled",
        None,
        _high_availability,
        {
            "Primary": "not enabled",
            "Secondary": "not enabled",
            "heartbeat": "disconnected",
            "VIP held by": None,
        },
    ),
    Step(
        "C.10",
        "The page at the Primary's address shows no High Availability widget",
        None,
        lambda s: _widget(s, "primary"),
        "not shown",
    ),
]


# ---- what next --------------------------------------------------------------------------------------------
def _certificate(stage: Stage) -> dict[str, object]:
    found, own = stage.ask("certificates"), stage.config.nodes.primary.host
    return {
        "set to the Primary": found["common_name"] == own,
        "served with the Primary": found["served_name"] == own,
    }


def _rename(stage: Stage) -> str:
    told = stage.ask("common-name", name=stage.config.nodes.primary.host)
    return f"Host Common Name: {told['common_name']}"


def _uses(stage: Stage) -> int:
    """How often the ID token was used."""
    found: int = stage.ask("token.list")["tokens"][0]["used"]
    return found


def _too_early(stage: Stage) -> str:
    products.make(stage, NEW, url=stage.primary_url)
    stage.notes["uses"] = _uses(stage)
    stage.notes["refused"], said = stage.try_to_register(NEW)
    return said


def _refused(stage: Stage) -> dict[str, object]:
    return {
        "refused": stage.notes.get("refused"),
        "token uses spent": _uses(stage) - stage.notes.get("uses", 0),
        "instances": sorted(stage.instances()),
    }


def _register_anew(stage: Stage) -> str:
    moved = stage.point(OLD, stage.primary_url)
    return f"{moved}; {stage.register(OLD, force=True)}; {stage.register(NEW)}"


def _order(stage: Stage) -> dict[str, Any]:
    """In the event log, after the Host Common Name was set: the synchronization, then registrations."""
    lines = [line["event"] for line in reversed(stage.events())]
    name = f"Host Common Name set to {stage.config.nodes.primary.host}"
    after = lines[max(index for index, line in enumerate(lines) if line == name) :] if name in lines else []
    told = []
    for line in after:
        if "synchronized" in line:
            told.append("synchronized")
        elif " registered as " in line:
            told.append(line.partition(" registered as ")[0].rpartition(" ")[2])
    return {"order": told, "instances": sorted(stage.instances())}


N: list[Step[Stage]] = [
    Step(
        "N_1",
        "Host Common Name is set to the Primary's own address (Security > Certificates)",
        _rename,
        _certificate,
        {"set to the Primary": True, "served with the Primary": False},
    ),
    Step(
        "N_4",
        "Before the synchronization a product is refused by its own check",
        _too_early,
        _refused,
        {"refused": "name-mismatch", "token uses spent": 0, "instances": [OLD]},
    ),
    Step(
        "N_2",
        "Synchronizing the local accounts regenerates the certificates",
        lambda s: f"synchronized: {', '.join(s.ask('synchronize')['synchronized'])}",
        _certificate,
        {"set to the Primary": True, "served with the Primary": True},
    ),
    Step(
        "N_3",
        "After it products re-register with the new name in their URL",
        _register_anew,
        _order,
        {"order": ["synchronized", OLD, NEW], "instances": sorted((OLD, NEW))},
        "instances",
    ),
]
SCENARIO = Scenario(
    "C",
    "a cluster becomes a stand-alone server",
    Addresses("127.0.0.5", "127.0.0.10", "127.0.0.12"),
    {"C": "Downgrade to a stand-alone server", "N": "What next"},
    (*C, *N),
    (*VIP_PROBES, ("primary", "gui"), ("primary", "devices")),
)
