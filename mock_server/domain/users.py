"""The server's local users: who may sign in to its pages and ask its REST API. Decisions only.

A password is kept as its scrypt hash (RFC 7914). One that was chosen by a person costs 16 MiB and some 50 ms
a guess; one that was made here has 160 random bits, which nobody guesses, and is hashed at a low cost, so
that a server starts as quickly as before.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

from mock_server.domain import accounts, events
from mock_server.domain.state import PasswordHash, State, User, UserRole
from mock_server.errors import CallerError, problem

__all__ = [
    "FIRST",
    "add",
    "change_password",
    "generated",
    "hashed",
    "remove",
    "sign_out",
    "stamp",
    "user_of",
    "verified",
]

FIRST: Final = "admin"
"""The administrator that a new server has."""
_RESERVED: Final = ("system", "console")
"""Who else does things, by the event log."""
_CHOSEN: Final = 2**14
_GENERATED: Final = 2**10
_SHORTEST, _LONGEST = 8, 256
_NOBODY: Final = PasswordHash(salt=bytes(16), cost=_CHOSEN, digest=bytes(32))

RandomBytes = Callable[[int], bytes]

USER_UNKNOWN = problem(
    "user-unknown",
    CallerError,
    "There is no user {user!r}.",
    "See `smartlic-mock user list` for those there are.",
)
USER_EXISTS = problem(
    "user-exists",
    CallerError,
    "There is a user {user!r} already, or the name is the system's own.",
    "Choose another name, or change that user's password.",
)
BAD_PASSWORD = problem(
    "bad-password",
    CallerError,
    "This cannot be a password: {why}.",
    f"Give {_SHORTEST} to {_LONGEST} characters in one line.",
)
LAST_ADMINISTRATOR = problem(
    "last-administrator",
    CallerError,
    "{user!r} is the only administrator, and a server needs one.",
    "Make another administrator first (`smartlic-mock user add --role administrator`).",
)


def generated(random: RandomBytes) -> str:
    """A password that nobody guesses: 160 bits, in letters and digits."""
    return hashlib.blake2b(random(20), digest_size=20).hexdigest()


def hashed(password: str, random: RandomBytes, *, made_here: bool = False) -> PasswordHash:
    """What is kept of a password. It takes long, on purpose: call it beside the loop that serves.

    `made_here`: it is one of `generated`, and a low cost is enough.
    """
    if len(password) < _SHORTEST:
        raise BAD_PASSWORD(why=f"it has fewer than {_SHORTEST} characters")
    if len(password) > _LONGEST:
        raise BAD_PASSWORD(why=f"it has more than {_LONGEST} characters")
    if not password.isprintable():
        raise BAD_PASSWORD(why="it has control characters")
    salt, cost = random(16), _GENERATED if made_here else _CHOSEN
    return PasswordHash(salt=salt, cost=cost, digest=_scrypt(password, salt, cost))


def _scrypt(password: str, salt: bytes, cost: int) -> bytes:
    data = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(data, salt=salt, n=cost, r=8, p=1, maxmem=64 << 20, dklen=32)


def verified(state: State, name: str, password: str) -> User | None:
    """The user, if the password is theirs. As slow for a name that is unknown, and for either cost.

    Call it beside the loop that serves; it reads one entry of the state.
    """
    user = state.users.get(name)
    kept = user.password if user is not None else _NOBODY
    tried = password[: _LONGEST + 1]
    digests = {cost: _scrypt(tried, kept.salt, cost) for cost in {_GENERATED, _CHOSEN, kept.cost}}
    same = hmac.compare_digest(digests[kept.cost], kept.digest)
    return user if same and user is not None else None


def stamp(user: User) -> str:
    """What changes with the user's password, and when another user gets the name: sessions hold on to it."""
    return hashlib.sha256(b"session" + user.password.salt + user.password.digest).hexdigest()[:32]


def user_of(state: State, name: str) -> User:
    user = state.users.get(name)
    if user is None:
        raise USER_UNKNOWN(user=name)
    return user


def add(
    state: State, name: str, role: UserRole, password: PasswordHash, *, by: str, now: float
) -> list[events.Event]:
    """A new user. `password`: by `hashed`."""
    if accounts.name_for(name, "a user") in state.users or name in _RESERVED:
        raise USER_EXISTS(user=name)
    made = User(name=name, role=role, password=password, created_at=now, created_by=by)
    return [events.UserCreated(user=made)]


def change_password(state: State, name: str, password: PasswordHash) -> list[events.Event]:
    """`password`: by `hashed`. The user's sessions end with it."""
    return [events.PasswordChanged(name=user_of(state, name).name, password=password)]


def sign_out(state: State, name: str, session: str, *, now: float, until: float) -> list[events.Event]:
    """A session, by its digest, is nobody's from now on. Times are of the real clock."""
    user = state.users.get(name)
    if user is None or session in user.ended:
        return []
    return [events.SignedOut(name=name, session=session, now=now, until=until)]


def remove(state: State, name: str) -> list[events.Event]:
    """The last administrator stays."""
    user = user_of(state, name)
    others = [one for one in state.users.values() if one.name != name]
    if user.role is UserRole.ADMINISTRATOR and not any(one.role is UserRole.ADMINISTRATOR for one in others):
        raise LAST_ADMINISTRATOR(user=name)
    return [events.UserRemoved(name=name)]
