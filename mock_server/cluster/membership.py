"""What deployment and teardown leave in the folder: keys that are trusted, and marks. Blocks on the disk.

F/nodes/<name>/peer.crt              the peer's certificate that this server was given and trusts
F/nodes/secondary/provisioned.json   it is a Standby that waits for `ha_deploy`
F/nodes/<name>/teardown.json         a teardown has begun here and has not ended
F/nodes/<name>/discarded.json        a teardown has discarded this server
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from mock_server.cluster import config, identity
from mock_server.cluster.config import ClusterConfig, Layout, peer_of
from mock_server.cluster.problems import FOLDER_DAMAGED
from mock_server.cluster.standing import Facts, Standing, standing
from mock_server.cluster.witness import Record, Witness
from mock_server.errors import SmartlicError
from mock_server.files import sync_folder, write_private

PRIMARY, SECONDARY = config.NODES


class Provisioned(msgspec.Struct, frozen=True):
    """`provisioned.json`: what `ha_provision_standby` was given."""

    vip: str
    primary: str
    primary_key: str
    """Fingerprint."""


class Keys(msgspec.Struct, frozen=True):
    """Fingerprints; None: there is no such key."""

    primary: str | None
    secondary: str | None
    trusted_by_primary: str | None
    trusted_by_secondary: str | None

    @property
    def fit(self) -> bool:
        """Whether the two servers would know each other."""
        return self.primary is not None and (self.primary, self.secondary) == (
            self.trusted_by_secondary,
            self.trusted_by_primary,
        )


def facts(layout: Layout, made: ClusterConfig, me: str, record: Record | None) -> Facts:
    """What a server knows of its standing."""
    return Facts(
        me,
        record,
        made.mode == "stand-alone",
        me == SECONDARY and provisioned(layout) is not None,
        _mark(layout, me, "discarded").exists(),
    )


def standing_of(layout: Layout, made: ClusterConfig, me: str) -> Standing:
    """What a server is, also when its record or marks cannot be read: then its start says so."""
    try:
        return standing(facts(layout, made, me, Witness(layout.witness, f"{me}-standing").read()))
    except SmartlicError:
        return Standing.MEMBER


# --- keys


def keys(layout: Layout) -> Keys:
    """All the keys that there are."""

    def of(path: Path) -> str | None:
        try:
            return identity.fingerprint(path)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise FOLDER_DAMAGED(path=str(path), detail=str(error)) from None

    return Keys(
        of(layout.certificate(PRIMARY)),
        of(layout.certificate(SECONDARY)),
        of(layout.node(PRIMARY) / "peer.crt"),
        of(layout.node(SECONDARY) / "peer.crt"),
    )


def exchange_keys(layout: Layout) -> None:
    """Each server keeps the other one's present certificate as the only one that it trusts."""
    for name in config.NODES:
        given = layout.certificate(peer_of(name)).read_bytes()
        write_private(layout.node(name) / "peer.crt", given, sync=True)


# --- marks


def provisioned(layout: Layout) -> Provisioned | None:
    """What the Secondary was provisioned with; None: it was not."""
    path = _mark(layout, SECONDARY, "provisioned")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Provisioned)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FOLDER_DAMAGED(path=str(path), detail=str(error)) from None


def provision(layout: Layout, what: Provisioned) -> None:
    """Mark the Secondary as provisioned."""
    write_private(_mark(layout, SECONDARY, "provisioned"), msgspec.json.encode(what) + b"\n", sync=True)


def forget_journal(layout: Layout, name: str) -> None:
    """The data of a server goes: it is to be a copy of the other one's."""
    for path in layout.node(name).glob("journal.sqlite*"):
        path.unlink()
    sync_folder(layout.node(name))


Mark = Literal["provisioned", "teardown", "discarded"]


def mark(layout: Layout, name: str, what: Mark) -> None:
    """Leave a mark, durably."""
    write_private(_mark(layout, name, what), b"{}\n", sync=True)


def marked(layout: Layout, name: str, what: Mark) -> bool:
    return _mark(layout, name, what).exists()


def unmark(layout: Layout, name: str, what: Mark) -> None:
    _mark(layout, name, what).unlink(missing_ok=True)


def _mark(layout: Layout, name: str, what: Mark) -> Path:
    return layout.node(name) / f"{what}.json"
