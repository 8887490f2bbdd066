"""All routes of the API: routing, the OpenAPI document and tests are made of this table."""

from __future__ import annotations

from typing import Final

from mock_server.api import accounts, alerts, devices, id_tokens, licenses, oauth
from mock_server.api.calls import Route

__all__ = ["ROUTES"]

ROUTES: Final[tuple[Route, ...]] = (
    *oauth.ROUTES,
    *accounts.ROUTES,
    *id_tokens.ROUTES,
    *licenses.ROUTES,
    *devices.ROUTES,
    *alerts.ROUTES,
)
