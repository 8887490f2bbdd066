"""Alerts of a local account."""

from __future__ import annotations

from collections.abc import Sequence

from mock_server.api import shapes
from mock_server.api.calls import Call, Listing, Route, page
from mock_server.control.alerts import about, action_due
from mock_server.domain.accounts import account_of
from mock_server.domain.alerts import Alert

__all__ = ["ROUTES"]


async def list_alerts(call: Call, asked: shapes.VirtualAccountsPage) -> Listing:
    account_of(call.state, call.account)
    for name in asked.virtual_accounts:
        account_of(call.state, call.account, name)
    now, wanted = call.serving.now(), set(asked.virtual_accounts)
    found = [
        alert
        for alert in about(call.state, now, call.account)
        if not wanted or alert.virtual_account is None or alert.virtual_account in wanted
    ]

    def shown(rows: Sequence[Alert]) -> list[shapes.Alert]:
        return [_alert(alert, now) for alert in rows]

    return Listing("alerts", len(found), page(asked, found), shown)


def _alert(alert: Alert, now: float) -> shapes.Alert:
    return shapes.Alert(
        message_type=alert.message_type,
        message=alert.message,
        severity=alert.severity,
        source=alert.source,
        source_type=alert.source_type,
        action_due=action_due(alert, now),
    )


ROUTES = (
    Route(
        "POST",
        "/api/v1/accounts/{account}/alerts",
        "alerts",
        "What wants attention in a local account, the major alerts first.",
        shapes.Alerts,
        list_alerts,
        shapes.VirtualAccountsPage,
    ),
)
