"""The words of a device, and the verb that each line is. Words can be shortened, as IOS takes them.

A line is matched word by word: a literal by any beginning of it that no other literal has there, TOKEN,
URL and so on by anything. Which words of a line are secret is known from here, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from smartlic_client.errors import SmartlicError, UsageError, problem

__all__ = ["COMMANDS", "Line", "completions", "keepable", "read", "usage_lines"]

WORDS_UNKNOWN = problem(
    "words-unknown",
    UsageError,
    "This is no command here: {why}.",
    "`help` lists the commands; `smartlic --help` lists the verbs of the program itself.",
)

# A word in capitals stands for what a person writes; one in brackets may be left out; … takes all the rest.
COMMANDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("license smart register idtoken TOKEN [force]", ("register",)),
    ("license smart deregister", ("deregister",)),
    ("license smart renew id", ("renew", "id")),
    ("license smart renew auth", ("renew", "auth")),
    ("license smart trust idtoken TOKEN local [force]", ("trust", "idtoken")),
    ("license smart trust idtoken TOKEN all [force]", ("trust", "idtoken")),
    ("license smart sync all", ("sync",)),
    ("license smart sync local", ("sync",)),
    ("license smart transport callhome", ("transport", "callhome")),
    ("license smart transport smart", ("transport", "smart")),
    ("license smart transport cslu", ("transport", "cslu")),
    ("license smart transport off", ("transport", "off")),
    ("license smart url URL", ("transport", "URL")),
    ("license smart url smart URL", ("transport", "smart", "URL")),
    ("license smart url cslu URL", ("transport", "cslu", "URL")),
    ("license smart usage interval DAYS", ("policy", "--interval", "DAYS")),
    ("license smart save usage all file FILE", ("report", "--save", "FILE")),
    ("license smart import FILE", ("report", "--import", "FILE")),
    ("license smart privacy all", ("privacy", "all", "on")),
    ("license smart privacy hostname", ("privacy", "hostname", "on")),
    ("license smart privacy version", ("privacy", "version", "on")),
    ("license smart custom_id ID", ("custom-id", "ID")),
    ("license smart factory reset", ("factory-reset", "--yes")),
    ("license smart reservation …", ("reservation",)),
    ("no license smart privacy all", ("privacy", "all", "off")),
    ("no license smart privacy hostname", ("privacy", "hostname", "off")),
    ("no license smart privacy version", ("privacy", "version", "off")),
    ("no license smart custom_id", ("custom-id", "--none")),
    ("request TAG COUNT", ("request", "TAG", "COUNT")),
    ("release TAG", ("release", "TAG")),
    ("show license …", ("show", "license", "…")),
    ("enable", ("enable",)),
    ("configure terminal", ("configure",)),
    ("end", ("end",)),
    ("exit", ("exit",)),
    ("quit", ("exit",)),
    ("logout", ("exit",)),
    ("help", ("help",)),
)
_FORMS: Final = tuple((tuple(form.split()), verb) for form, verb in COMMANDS)
_LONG = 24


@dataclass(frozen=True)
class Line:
    """A line that was understood: the verb with its arguments, and the token, which is no argument."""

    verb: tuple[str, ...]
    token: str | None = field(default=None, repr=False)


def read(line: str) -> Line | None:
    """What a line asks for; None where it is empty, or a remark (`!`). Raises words-unknown."""
    words = line.split()
    if not words or words[0].startswith("!"):
        return None
    if words == ["?"]:
        words = ["help"]
    if words[0] == "do" and len(words) > 1:
        words = words[1:]
    begun = [(form, verb) for form, verb in _FORMS]
    for position, word in enumerate(words):
        fitting = [(form, verb) for form, verb in begun if _fits(form, position, word)]
        literals = {w for form, _ in fitting if (w := _word(form, position)) and w[0].islower()}
        if word.lower() in literals:
            literals = {word.lower()}
        if len(literals) > 1:
            raise WORDS_UNKNOWN(why=f"word {position + 1} can mean {' or '.join(sorted(literals))}")
        if not fitting:
            raise _unknown(begun, position)
        begun = [one for one in fitting if not literals or _word(one[0], position) in literals]
    whole = [one for one in begun if _ends(one[0], len(words))]
    if not whole:
        raise _unknown(begun, len(words))
    form, verb = whole[0]
    return _made(form, verb, words)


def _made(form: tuple[str, ...], verb: tuple[str, ...], words: Sequence[str]) -> Line:
    given = dict(zip(form, words, strict=False))
    arguments: list[str] = []
    for part in verb:
        if part == "…":
            arguments += words[form.index("…") :]
        else:
            arguments.append(given[part] if part.isupper() else part)
    if len(form) == len(words) and form[-1] == "[force]":
        arguments.append("--force")
    return Line(tuple(arguments), given.get("TOKEN"))


def keepable(line: str) -> bool:
    """Whether a line may go into a history: no token is in it, nor anything that might be a slip in one."""
    try:
        found = read(line)
    except SmartlicError:
        return not any(len(word) > _LONG for word in line.split()) and "idt" not in line.lower()
    return found is None or found.token is None


def completions(before: str) -> list[str]:
    """The words that can follow what is written, and begin as its last word."""
    words = before.split()
    begun = words.pop() if words and not before[-1:].isspace() else ""
    forms = [form for form, _ in _FORMS]
    for position, word in enumerate(words):
        forms = [form for form in forms if _fits(form, position, word)]
        exact = [form for form in forms if _word(form, position) == word.lower()]
        forms = exact or forms
    found = {_word(form, len(words)) for form in forms}
    return sorted(w for w in found if w and w[0].islower() and w.startswith(begun.lower()))


def usage_lines() -> Iterable[str]:
    return (form for form, _ in COMMANDS)


def _word(form: tuple[str, ...], position: int) -> str | None:
    """The word of a form there, without brackets; None behind its end."""
    if position < len(form):
        return form[position].strip("[]")
    return "…" if form[-1] == "…" else None


def _fits(form: tuple[str, ...], position: int, word: str) -> bool:
    known = _word(form, position)
    if known is None:
        return False
    return known.startswith(word.lower()) if known[0].islower() else True


def _ends(form: tuple[str, ...], count: int) -> bool:
    """Whether so many words are a whole line of that form."""
    needed = sum(not (word.startswith("[") or word == "…") for word in form)
    return count >= needed


def _unknown(begun: Sequence[tuple[tuple[str, ...], tuple[str, ...]]], position: int) -> SmartlicError:
    """Says what could stand there, and repeats nothing: a word may be a token."""
    known = sorted({w for form, _ in begun if (w := _word(form, position))})
    if not known:
        return WORDS_UNKNOWN(why=f"it ends before word {position + 1}")
    return WORDS_UNKNOWN(why=f"word {position + 1} is one of: {', '.join(known[:12])}")
