"""The pages of a discarded Secondary are shown with the browser certificate that it had."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from mock_server import pki
from mock_server.cluster.config import configure
from mock_server.cluster.machine import NodeContext
from mock_server.service import LicensingService
from mock_server.serving import key_name


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
