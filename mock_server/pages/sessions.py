"""Sessions: a signed cookie, whose key is in the key store of both servers, so that it survives a failover.

The cookie names the user and a stamp of the password's hash: it ends when the user is removed or the password
changes, and by signing out, which is kept with the user. Each form carries a token that only this session's
pages know (CSRF).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

import msgspec
from itsdangerous import BadData, URLSafeSerializer

from mock_server.domain import users
from mock_server.domain.state import State, User

__all__ = ["KEY", "LONGEST", "Session", "Sessions", "digest"]

KEY: Final = "page-sessions"
"""The name of the key in the key store."""
IDLE: Final = 30 * 60
LONGEST: Final = 12 * 3600
_RENEW: Final = 60
"""A cookie is this old before its user's next request renews it."""


class Session(msgspec.Struct, frozen=True, array_like=True):
    """`user`: "" before the sign-in. `began`, `seen`: Unix seconds of the real clock."""

    user: str
    stamp: str
    began: int
    seen: int
    nonce: str


def digest(session: Session) -> str:
    """What is kept of a session that was signed out; it stays the same when the cookie is renewed."""
    return hashlib.sha256(f"session\x1f{session.nonce}".encode()).hexdigest()[:32]


class Sessions:
    """`key`: 32 random bytes. `cluster`: its id; cookies know no ports, and a host may have many clusters."""

    def __init__(self, key: bytes, cluster: str) -> None:
        self._key = key
        self.cookie = f"__Host-smartlic-{cluster[:8]}"
        options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        self._serializer = URLSafeSerializer(key, salt="session", signer_kwargs=options)

    longest = LONGEST

    def anonymous(self, now: float) -> Session:
        return Session("", "", int(now), int(now), secrets.token_urlsafe(16))

    def begin(self, user: User, now: float) -> Session:
        """Another nonce than before: who knew the page's form token does not know this one."""
        return Session(user.name, users.stamp(user), int(now), int(now), secrets.token_urlsafe(16))

    def text(self, session: Session) -> str:
        """The cookie's value."""
        return str(self._serializer.dumps(msgspec.to_builtins(session)))

    def read(self, text: str | None, now: float) -> Session | None:
        """None: it is none of ours, or it has ended by its age."""
        if not text or len(text) > 2000:
            return None
        try:
            session = msgspec.convert(self._serializer.loads(text), Session)
        except (BadData, msgspec.ValidationError):
            return None
        alive = 0 <= now - session.began + 60 < LONGEST and now - session.seen < IDLE
        return session if alive else None

    def user(self, session: Session, state: State) -> User | None:
        """Who is signed in; None once the user is gone or has another password."""
        user = state.users.get(session.user) if session.user else None
        same = user is not None and hmac.compare_digest(users.stamp(user), session.stamp)
        return user if same and user is not None and digest(session) not in user.ended else None

    def renewed(self, session: Session, now: float) -> Session | None:
        """The session of a user who is still there; None where the cookie is young enough."""
        if now - session.seen < _RENEW:
            return None
        return msgspec.structs.replace(session, seen=int(now))

    def form_token(self, session: Session) -> str:
        said = f"form\x1f{session.user}\x1f{session.nonce}".encode()
        return hmac.new(self._key, said, hashlib.sha256).hexdigest()

    def is_form_token(self, session: Session, given: str) -> bool:
        return hmac.compare_digest(self.form_token(session).encode(), given.encode("utf-8", "replace"))
