"""Alerts: what wants somebody's attention now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mock_server.control.forms import Answer, Operation, Page
from mock_server.domain.accounts import account_of
from mock_server.domain.alerts import Alert, alerts
from mock_server.domain.state import State
from mock_server.domain.words import date
from mock_server.serving import Serving

__all__ = ["OPERATIONS", "about", "action_due"]


class _List(Page, kw_only=True):
    """`account`: only what is about this one."""

    account: str | None = None


async def list_alerts(serving: Serving, fields: _List) -> Answer:
    if fields.account is not None:
        account_of(serving.state, fields.account)
    now = serving.now()
    every = about(serving.state, now, fields.account)
    found = [_alert(alert, now) for alert in fields.of(every)]
    await serving.ledger.settled()
    return {"alerts": found, "total": len(every)}


def about(state: State, now: float, account: str | None) -> list[Alert]:
    """The alerts of a local account and of the whole server; None: of all accounts."""
    return [alert for alert in alerts(state, now) if account is None or alert.account in (None, account)]


def action_due(alert: Alert, now: float) -> str | None:
    """Until when something has to be done: a time, or now."""
    return "Now" if alert.due is not None and alert.due <= now else date(alert.due)


def _alert(alert: Alert, now: float) -> Answer:
    return {
        "messageType": alert.message_type,
        "message": alert.message,
        "severity": alert.severity,
        "source": alert.source,
        "sourceType": alert.source_type,
        "actionDue": action_due(alert, now),
        "account": alert.account,
        "virtual_account": alert.virtual_account,
    }


OPERATIONS: Final[Mapping[str, Operation]] = {"alert.list": Operation(_List, list_alerts)}
