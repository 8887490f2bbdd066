"""Keys that our listeners put into a request's scope, for the applications behind them."""

from __future__ import annotations

__all__ = ["TRANSPORT"]

TRANSPORT = "smartlic.transport"
"""The connection (`asyncio.Transport`), for who has to end it."""
