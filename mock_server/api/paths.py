"""Which paths are the API's: known before the API itself is loaded."""

from __future__ import annotations

from typing import Final

from mock_server.web.asgi import Scope, raw_path

__all__ = ["DOCUMENT", "PAGE", "is_document", "is_of_api", "path_of"]

PREFIX: Final = "/backend"
DOCUMENT: Final = "/openapi.json"
PAGE: Final = "/api-docs"
_OURS: Final = ("/api/", "/oauth/")


def path_of(scope: Scope) -> str:
    """The path as it was sent, without the prefix, and with one slash where a client has joined two."""
    path = "/" + raw_path(scope).lstrip("/")
    return "/" + path.removeprefix(PREFIX).lstrip("/") if path.startswith(PREFIX + "/") else path


def is_document(path: str) -> bool:
    """Whether a path without its prefix is one of the API's description."""
    return path in (DOCUMENT, PAGE) or path.startswith(PAGE + "/")


def is_of_api(scope: Scope) -> bool:
    path = path_of(scope)
    return path.startswith(_OURS) or is_document(path)
