"""Templates and the static files. All that is put into a page is text there (autoescape)."""

from __future__ import annotations

import datetime
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from mock_server.web.gui import FOOT

__all__ = ["STATIC", "rendered", "static"]

STATIC: Final = {
    "style.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "forms.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@cache
def static(name: str) -> tuple[bytes, str]:
    """A static file and its version."""
    data = files("mock_server.pages").joinpath("static", name).read_bytes()
    return data, hashlib.sha256(data).hexdigest()[:16]


def _static_url(name: str) -> str:
    return f"/static/{name}?v={static(name)[1]}"


def _url(path: str, **query: Any) -> str:
    """A page's address; names stand in the query, where they may hold anything."""
    kept = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(kept)}" if kept else path


def _uid(name: str) -> str:
    """For the id of an element that belongs to something with this name."""
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def _time(value: str | float | None) -> str:
    """A time for people, in UTC. `value`: as operations give it, or Unix seconds."""
    if value is None or value == "":
        return "–"
    if isinstance(value, int | float):
        return datetime.datetime.fromtimestamp(value, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
    return value.replace("T", " ").removesuffix("Z")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("mock_server.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"static": _static_url, "url": _url, "uid": _uid, "foot": FOOT}
    made.filters["time"] = _time
    return made


def rendered(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(values)
