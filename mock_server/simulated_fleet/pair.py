"""Two nodes at the level of decisions: the Active decides and applies, the Standby applies, then it is told.

A change is on both copies before its answer leaves. A failover is the Standby serving on from its own copy;
the node that died comes back and follows, and loses what it alone had. Replication is a call here:
heartbeats, roles and the wire between nodes are the subject of `mock_server.simulation`.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from enum import Enum
from itertools import zip_longest

from mock_server.domain import accounts, events, licenses, tokens
from mock_server.domain.apply import LicensingMachine
from mock_server.domain.devices import Environment, IssuedCertificate
from mock_server.domain.state import (
    DEFAULT_ACCOUNT,
    DEFAULT_CSSM_VIRTUAL_ACCOUNT,
    DEFAULT_SMART_ACCOUNT,
    DEFAULT_VIRTUAL_ACCOUNT,
    State,
)
from mock_server.simulated_fleet.crypto import Crypto
from mock_server.web.devices import Desk, answer
from smartlic_client.protocol.identity import IdToken
from smartlic_client.protocol.signing import PublicKey

__all__ = ["Died", "Moment", "Pair"]

_TOKEN_DAYS = 365
_KINDS = ("settings", "account", "token", "pool", "instance", "tombstone", "report")


class Moment(Enum):
    """When the Active dies."""

    UNREPLICATED = "before a change was on the other node"
    UNANSWERED = "before an answer left"
    IDLE = "while nothing was said"


class Died(Exception):
    """The Active died; whoever waits for it hears nothing."""


class Pair:
    """It is also the ledger that its desk writes to (web.devices.Journal)."""

    def __init__(self, crypto: Crypto, seed: int, begin: float) -> None:
        self.time = begin
        self.cut = 0
        self.doubled: list[str] = []
        self.registered = 0
        self.index = 0
        self._dies: Moment | None = None
        self._crypto = crypto
        self._random = random.Random(f"server {seed}").randbytes  # noqa: S311 - the same run again
        self._active, self._standby = LicensingMachine(), LicensingMachine()
        self._behind = False
        self._serve()
        self.commit(
            accounts.create_account(
                self.state, DEFAULT_ACCOUNT, DEFAULT_SMART_ACCOUNT, DEFAULT_CSSM_VIRTUAL_ACCOUNT
            )
        )

    @property
    def state(self) -> State:
        return self._active.state

    # ---- what an administrator does -----------------------------------------------------------------------
    def commit(self, happened: list[events.Event]) -> None:
        self.propose(
            events.encode(events.Change(at=self.time, by="simulation", node="simulated", events=happened))
        )

    def purchase(self, tag: str, quantity: int) -> None:
        where = (self.state, DEFAULT_ACCOUNT, DEFAULT_VIRTUAL_ACCOUNT)
        self.commit(licenses.purchase(*where, tag, tag[:60], quantity))

    def token(self) -> IdToken:
        happened, token = tokens.create_token(
            self.state,
            DEFAULT_ACCOUNT,
            DEFAULT_VIRTUAL_ACCOUNT,
            days=_TOKEN_DAYS,
            uses=None,
            description="simulation",
            export_controlled=True,
            now=self.time,
            random=self._random,
        )
        self.commit(happened)
        return token

    # ---- the ledger ---------------------------------------------------------------------------------------
    def propose(self, payload: bytes) -> int:
        """Raises Died where the Active dies with this change on its own copy only."""
        change = events.decode(payload)
        for event in change.events:
            self._look(event)
        self._active.apply_change(change)
        if self._dies is Moment.UNREPLICATED:
            self._behind = True
            raise Died
        self.index += 1
        self.registered += sum(isinstance(event, events.InstanceRegistered) for event in change.events)
        self.replicate(payload)
        return self.index

    def replicate(self, payload: bytes) -> None:
        self._standby.apply(payload)

    async def settled(self, index: int | None = None) -> None:  # noqa: ARG002 - the ledger's form
        if self._dies is Moment.UNANSWERED:
            raise Died

    def _look(self, event: events.Event) -> None:
        """Whether a message has its effect a second time."""
        if isinstance(event, events.InstanceRegistered):
            if event.key_digest in self.state.by_key:
                self.doubled.append(event.instance.name)
        elif isinstance(event, (events.UsageReported, events.CertificateRenewed)):
            instance = self.state.instances[event.piid]
            if event.last.sequence <= instance.last.sequence:
                self.doubled.append(instance.name)

    # ---- serving ------------------------------------------------------------------------------------------
    def _serve(self) -> None:
        known, draw = self._crypto, self._random

        def issue(public_key: PublicKey, piid: str) -> IssuedCertificate:
            return known.issue(public_key, piid, self.time)

        def environment(now: float) -> Environment:
            return Environment(now=now, random=draw, issue=issue, seals=known.seals)

        self._desk = Desk(
            node="simulated",
            machine=self._active,
            ledger=self,
            now=lambda: self.time,
            environment=environment,
            sign=known.sign_answer,
            certificates=known.chain,
            id_chain=known.id_chain,
            seals=known.seals,
        )

    def post(self, raw: bytes) -> bytes:
        """The body of the answer. Raises Died: the caller lets the Standby `take_over`."""
        running = answer(self._desk, raw)
        try:
            running.send(None)
        except StopIteration as done:
            body: bytes = done.value[1]
            return body
        raise RuntimeError("an answer waits for something")

    def die(self, moment: Moment | None) -> None:
        """With the next message that is accepted; None: not any more."""
        self._dies = moment

    def take_over(self) -> None:
        """The Standby serves; the other one comes back, loses what only it has, and follows."""
        self._dies = None
        if self._behind:
            self._behind = False
            self.cut += 1
            self._active.load(_rows(self._standby))
        self._active, self._standby = self._standby, self._active
        self._serve()

    def equal(self) -> bool:
        """Whether both copies are the same, row for row."""
        ours, theirs = _rows(self._active), _rows(self._standby)
        return all(one == other for one, other in zip_longest(ours, theirs))


def _rows(machine: LicensingMachine) -> Iterator[tuple[str, str, bytes]]:
    """Every aggregate as a journal would keep it."""
    state = machine.state
    tables: dict[str, Collection[str]] = {
        "settings": [""],
        **{kind: getattr(state, f"{kind}s") for kind in _KINDS[1:]},
    }
    for kind in _KINDS:
        for key in sorted(tables[kind]):
            row = machine.row(kind, key)
            if row is not None:
                yield kind, key, row
