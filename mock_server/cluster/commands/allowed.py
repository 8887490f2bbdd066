"""Which command of deployment and teardown a server takes, as it stands. Pure: each case has its answer."""

from __future__ import annotations

from mock_server.cluster import refusals
from mock_server.cluster.roles import ACTIVE_STATES, State
from mock_server.cluster.standing import Standing
from mock_server.errors import SmartlicError

PRIMARY, SECONDARY = "primary", "secondary"
DEPLOYING = ("ha_generatekeys", "ha_provision_standby", "ha_deploy")
_PASSING = frozenset(
    {
        State.STARTING,
        State.GOING_ALONE,
        State.TAKING_OVER,
        State.LEAVING,
        State.DRAINING,
        State.DEPOSED,
        State.TEARING_DOWN,
    }
)


def refusal(
    command: str,
    me: str,
    standing: Standing,
    state: State,
    *,
    provisioned: bool = False,
    torn_down_by: str | None = None,
) -> SmartlicError | None:
    """Why a server does not take a command of `DEPLOYING`, or `ha_teardown`; None: it does.

    `provisioned`: a Secondary that waits for its deployment. `torn_down_by`: the server that the record says
    stands alone after a teardown."""
    if command == "ha_teardown":
        return _teardown(me, standing, state)
    if me == PRIMARY and command == "ha_provision_standby":
        return refusals.FOR_THE_SECONDARY(command=command)
    if standing is Standing.DISCARDED:
        return refusals.DISCARDED()
    if me == SECONDARY and command != "ha_provision_standby":
        return refusals.FOR_THE_PRIMARY(command=command)
    if torn_down_by is not None:
        return refusals.TORN_DOWN(active=torn_down_by.capitalize())
    if provisioned:
        return _passing(me, state)
    if standing is Standing.MEMBER:
        return refusals.IN_CLUSTER(node=me.capitalize())
    if state is State.STOPPED:
        return refusals.NOT_SERVING(node=me.capitalize())
    return _passing(me, state)


def _teardown(me: str, standing: Standing, state: State) -> SmartlicError | None:
    """Outside of a cluster there is nothing to refuse: there is nothing to tear down."""
    if standing is not Standing.MEMBER:
        return None
    passing = _passing(me, state)
    if passing is not None:
        return passing
    if me == SECONDARY:
        return refusals.FALL_BACK_FIRST() if state in ACTIVE_STATES else None
    return None if state in ACTIVE_STATES else refusals.PRIMARY_NOT_ACTIVE(state=str(state))


def _passing(me: str, state: State) -> SmartlicError | None:
    if state in _PASSING:
        return refusals.NOT_SETTLED(node=me.capitalize(), state=str(state), retry_after=1)
    return None
