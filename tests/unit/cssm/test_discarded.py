"""The pages of a discarded Secondary are shown with the browser certificate that it had."""

from __future__ import annotations

import asyncio
import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from mock_server import pki
from mock_server.cluster.config import configure
from mock_server.cluster.machine import NodeContext
from mock_server.domain.state import State
from mock_server.service import LicensingService
from mock_server.serving import key_name
from mock_server.web.discarded import DiscardedPages


@pytest.mark.parametrize("uploaded", [False, True])
def test_C_3_pages_of_a_discarded_server_have_their_certificate(tmp_path: Path, uploaded: bool) -> None:
    """Also one that was uploaded: its key has the name of the request, not of the certificate."""
    now = datetime.datetime.now(datetime.UTC)
    root = pki.new_root("Root", now)
    issued = pki.Issuer(root.certificate, root.key, ()).leaf("127.0.0.10", pki.BROWSER, now=now)
    service = LicensingService(NodeContext("secondary", tmp_path, configure(), dict))
    settings = service.machine.state.settings
    settings.certificates["browser"] = issued.der_chain
    settings.browser_key = "browser-request-1" if uploaded else ""
    name = settings.browser_key or key_name("browser", issued.certificate)
    _pages, context = service.pages({name: issued.key_pem})
    assert context is not None


@pytest.mark.parametrize("path", ["/api/v1/accounts/Lab/virtual-accounts", "/backend/oauth/token"])
def test_C_3_automation_is_told_that_a_discarded_server_is_gone(path: str) -> None:
    """410 with a code, where a list is read as well as where something is sent."""
    pages = DiscardedPages(State, dict)
    for method in ("GET", "POST"):
        sent: list[Any] = []

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        asyncio.run(pages({"method": method, "path": path}, None, send))  # type: ignore[arg-type]
        assert sent[0]["status"] == 410
        assert json.loads(sent[1]["body"])["code"] == "discarded"
