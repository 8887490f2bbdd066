"""What the command line gives, read into targets and options. Raises ValueError for what is written wrongly,
and problems for what cannot be read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

from smartlic_client.errors import SmartlicError
from smartlic_client.preflight.catalogue import FAMILIES, catalogue
from smartlic_client.preflight.observation import Target
from smartlic_client.preflight.options import Node
from smartlic_client.preflight.problems import CANNOT_READ
from smartlic_client.preflight.targets import read_authority, read_target

__all__ = ["proxy_in_environment", "read_nodes", "read_targets", "read_wanted"]

_LARGEST = 256 << 20
_PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def read_targets(words: Iterable[str], inventories: Iterable[str]) -> list[Target]:
    """All targets, each once. `@file` and `-` among the words are inventories. Raises `check-cannot-read`."""
    words, inventories = tuple(words), tuple(inventories)
    if len(words) == 1 and not inventories and not _is_inventory(words[0]):
        return [read_target(words[0])]
    from smartlic_client.preflight.inventory import merge

    found: list[Target] = []
    for word in words:
        if _is_inventory(word):
            found += _inventory(word.removeprefix("@"))
        else:
            found.append(read_target(word))
    for path in inventories:
        found += _inventory(path)
    return merge(found)


def _is_inventory(word: str) -> bool:
    return word == "-" or word.startswith("@")


def _inventory(path: str) -> list[Target]:
    from smartlic_client.preflight.inventory import read_inventory

    if path == "-":
        stream: BinaryIO | None = sys.stdin.buffer if sys.stdin is not None else None
        return read_inventory(stream.read(_LARGEST) if stream else b"", "standard input")
    try:
        with Path(path).expanduser().open("rb") as file:
            return read_inventory(file.read(_LARGEST), path)
    except (OSError, ValueError) as error:
        raise CANNOT_READ(path=path, why=getattr(error, "strerror", None) or str(error)) from None


def read_nodes(text: str) -> tuple[Node, ...]:
    """`PRIMARY,SECONDARY`, each HOST or HOST:PORT. Raises ValueError."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2:
        raise ValueError("give the addresses of both nodes: PRIMARY,SECONDARY")
    found = []
    for role, part in zip(("primary", "secondary"), parts, strict=True):
        try:
            host, port = read_authority(part)
        except SmartlicError as error:
            raise ValueError(error.sentence.rstrip(".")) from None
        found.append(Node(role=role, host=host, port=port))
    return tuple(found)


def read_wanted(only: Iterable[str], skip: Iterable[str]) -> tuple[frozenset[str], frozenset[str]] | None:
    """The ids to look for and their families; None for all. Ids and families both may be given."""
    only, skip = tuple(only), tuple(skip)
    if not only and not skip:
        return None
    known = {each.id: each.family for each in catalogue().values()}
    wanted = _expand(only, known) if only else set(known)
    wanted -= _expand(skip, known)
    return frozenset(wanted), frozenset(known[each] for each in wanted)


def _expand(names: Iterable[str], known: Mapping[str, str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        if name in FAMILIES:
            found |= {each for each, family in known.items() if family == name}
        elif name in known:
            found.add(name)
        else:
            raise ValueError(f"there is no finding {name!r}{close_to(name, [*known, *FAMILIES])}")
    return found


def close_to(name: str, known: Iterable[str]) -> str:
    """What was meant, perhaps."""
    import difflib

    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]}?" if near else "; smartlic check --explain all lists them"


def proxy_in_environment() -> str | None:
    """The variable that tells programs on this machine to use a proxy, if there is one."""
    return next((name for name in _PROXIES if os.environ.get(name)), None)
