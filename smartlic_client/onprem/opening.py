"""What both clients are made of: the routes of a server, asked by the real clock and the system's chance."""

from __future__ import annotations

import random
import time
from typing import Final

from smartlic_client.onprem.calls import Calls
from smartlic_client.onprem.secret import Secret
from smartlic_client.onprem.talk import Base, Credentials, Surroundings, Talker

__all__ = ["BASE", "PAGE", "calls_for"]

BASE: Final = "/backend"
PAGE: Final = 200


def calls_for(
    url: str,
    base: str,
    client: tuple[str | None, str | Secret | None],
    user: tuple[str | None, str | Secret | None],
    wait: float,
    page_size: int,
) -> Calls:
    """The routes of a server, for a client ID with its secret, or a user with a password.

    Raises api-bad-url, bad-host, api-credentials-needed; ValueError for a page size that is none.
    """
    if page_size < 1 and page_size != -1:
        raise ValueError("a page has one line at least; -1 is all in one answer")
    credentials = Credentials(client[0], _secret(client[1]), user[0], _secret(user[1]))
    around = Surroundings(time.monotonic, random.SystemRandom().random)
    return Calls(Talker(Base.parse(url, base), credentials, wait, around), page_size)


def _secret(given: str | Secret | None) -> Secret | None:
    return Secret(given) if isinstance(given, str) else given
