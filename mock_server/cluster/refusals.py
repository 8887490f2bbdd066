"""Why a command of deployment or teardown is refused: all of it on one screen."""

from __future__ import annotations

from mock_server.errors import CallerError, CommunicationError, RefusedError, problem

FOR_THE_PRIMARY = problem(
    "for-the-primary",
    CallerError,
    "{command} is a command of the Primary; this is the Secondary.",
    "Run it on the Primary's console.",
)
FOR_THE_SECONDARY = problem(
    "for-the-secondary",
    CallerError,
    "{command} is a command of the Secondary; this is the Primary.",
    "Run it on the Secondary's console.",
)
IN_CLUSTER = problem(
    "in-cluster",
    RefusedError,
    "The {node} is in a cluster already.",
    "`ha_status` shows it. The order of a deployment is: ha_generatekeys on the Primary, "
    "ha_provision_standby on the Secondary, ha_deploy on the Primary.",
)
DISCARDED = problem(
    "discarded",
    RefusedError,
    "The Secondary was discarded by a teardown and cannot be used again.",
    "Only its pages can be read. A cluster needs a new Secondary: make one in another folder.",
)
TORN_DOWN = problem(
    "torn-down",
    RefusedError,
    "The cluster was torn down; the {active} stands alone.",
    "Run ha_teardown on the Secondary, which discards it. A cluster needs a new Secondary.",
)
NO_KEYS = problem(
    "no-keys",
    CallerError,
    "The Primary has no keys for the cluster yet.",
    "Run ha_generatekeys on the Primary first.",
)
NOT_PROVISIONED = problem(
    "not-provisioned",
    CallerError,
    "The Secondary is not provisioned.",
    "Run ha_provision_standby on the Secondary first.",
)
KEYS_DIFFER = problem(
    "keys-differ",
    CallerError,
    "The Secondary was provisioned with another key ({given}) than the Primary has now ({present}).",
    "Run ha_provision_standby on the Secondary again.",
)
PRIMARY_ELSEWHERE = problem(
    "primary-elsewhere",
    CallerError,
    "There is no Primary at {given}.",
    "The Primary's address is {address}.",
)
VIP_DIFFERS = problem(
    "vip-differs",
    CallerError,
    "The Secondary was provisioned with the VIP {vip}, not {given}.",
    "Give the same one, or run ha_provision_standby on the Secondary again.",
)
FALL_BACK_FIRST = problem(
    "fall-back-first",
    RefusedError,
    "The Secondary is Active. A teardown keeps the Primary, as the Active server.",
    "Fall back first: start the cluster on the Primary, wait until it is in sync, run ha_cluster_stop on the "
    "Secondary, and then ha_teardown on the Primary.",
)
PRIMARY_NOT_ACTIVE = problem(
    "primary-not-active",
    RefusedError,
    "The Primary is not Active ({state}). A teardown is run on the Primary while it is Active.",
    "Make it Active first: ha_cluster_start here, and, once it is in sync, ha_cluster_stop on the Secondary "
    "if that is Active.",
)
LAST_COPY = problem(
    "last-copy",
    RefusedError,
    "The Secondary alone has every acknowledged change: discarding it would lose them.",
    "Start the cluster on both, wait until the Primary is in sync and Active, and run ha_teardown there.",
)
NOT_SERVING = problem(
    "not-serving",
    RefusedError,
    "The {node} is stopped.",
    "Start it: ha_cluster_start.",
)
NOT_SETTLED = problem(
    "not-settled",
    CommunicationError,
    "The {node} is just changing its state ({state}).",
    "Run the command again in a second.",
)
