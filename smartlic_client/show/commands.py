"""The words after `show license`, and what they print; unique beginnings of words do too, as on a device."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Final

from smartlic_client.errors import UsageError, problem
from smartlic_client.show.model import Model
from smartlic_client.show.words import Zone

__all__ = ["COMMANDS", "complete", "resolve", "text"]

SHOW_UNKNOWN = problem(
    "show-unknown",
    UsageError,
    "`show license {words}` is not known: {why}.",
    "There are: {known}.",
)

# words → the room and the function there. Rooms are imported when they are asked for.
COMMANDS: Final[Mapping[tuple[str, ...], tuple[str, str]]] = {
    ("all",): ("everything", "everything"),
    ("eventlog",): ("history", "event_log"),
    ("history", "message"): ("history", "history"),
    ("rum", "id", "all"): ("history", "reports"),
    ("status",): ("status", "status"),
    ("summary",): ("usage", "summary"),
    ("tech", "support"): ("tech", "tech_support"),
    ("udi",): ("usage", "udi"),
    ("usage",): ("usage", "usage"),
}
_DAYS = 99999


def resolve(words: Sequence[str]) -> tuple[tuple[str, ...], int | None]:
    """The command that the words name, and the days of `eventlog DAYS`. Raises show-unknown."""
    found: tuple[str, ...] = ()
    for position, word in enumerate(words):
        if found == ("eventlog",) and word.isascii() and word.isdigit() and position == len(words) - 1:
            return found, min(int(word[:6]), _DAYS)
        matching = [known for known in _next(found) if known.startswith(word.lower())] if word else []
        exact = [known for known in matching if known == word.lower()]
        if len(matching) > 1 and not exact:
            raise _unknown(words, f"{word!r} can mean {' or '.join(matching)}")
        if not matching:
            raise _unknown(words, f"nothing with {word!r} is there")
        found += ((exact or matching)[:1][0],)
    if found not in COMMANDS:
        raise _unknown(words, f"it goes on with {' or '.join(_next(found))}")
    return found, None


def complete(words: Sequence[str], begun: str) -> list[str]:
    """What can follow the words, and begins as `begun`; nothing where they are not known."""
    found: tuple[str, ...] = ()
    for word in words:
        matching = [known for known in _next(found) if known.startswith(word.lower())]
        if len(matching) != 1 and word.lower() not in matching:
            return []
        found += (word.lower() if word.lower() in matching else matching[0],)
    return [known for known in _next(found) if known.startswith(begun.lower())]


def text(words: Sequence[str], model: Model, zone: Zone = datetime.UTC) -> str:
    """What `show license WORDS…` prints, with times in `zone`. Raises show-unknown."""
    command, days = resolve(words)
    room, name = COMMANDS[command]
    print_: Callable[..., str] = getattr(import_module(f"smartlic_client.show.{room}"), name)
    return print_(model, zone) if days is None else print_(model, zone, days)


def _next(found: tuple[str, ...]) -> list[str]:
    following = (words[len(found)] for words in COMMANDS if words[: len(found)] == found and words != found)
    return list(dict.fromkeys(following))


def _unknown(words: Sequence[str], why: str) -> Exception:
    known = ", ".join(" ".join(words) for words in COMMANDS)
    return SHOW_UNKNOWN(words=" ".join(words)[:200], why=why[:200], known=known)
