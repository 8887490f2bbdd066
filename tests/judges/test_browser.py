"""A real browser, Debian's Chromium driven by Playwright, plays the scenarios on the pages; axe-core judges.

Screenshots are kept in build/screenshots, or where SMARTLIC_SCREENSHOTS says.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mock_server import Cluster
from mock_server.demo.products import DEVICES, FIRST, LICENSES, SECOND
from smartlic_client import Device, IdToken, Udi
from tests.judges.environments import programs

pytestmark = pytest.mark.judge

ROOT = Path(__file__).parents[2]
NEEDED = ["playwright>=1.45,<2", "axe-playwright-python>=0.1.4,<1"]
SHOTS = Path(os.environ.get("SMARTLIC_SCREENSHOTS", ROOT / "build" / "screenshots"))
OUT_OF_REACH = ("net::ERR_", "502 ()", "503 ()", "Bad Gateway", "Service Unavailable")
"""What a browser says of a request that meets no server: there is none for a moment while it moves."""
LARGEST = 300_000


class Browser:
    """Each method is one of `browser_driver.Tab`; `base`: where the pages are."""

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        self._process = process
        self._name = name
        self._number = 0
        self.base = ""

    def __getattr__(self, command: str) -> Any:
        def ask(**fields: Any) -> Any:
            assert self._process.stdin is not None and self._process.stdout is not None
            self._process.stdin.write(json.dumps({"do": command, **fields}) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
            assert answer["ok"], (command, fields, answer.get("error"))
            return answer["result"]

        return ask

    def at(self, path: str) -> None:
        assert self.goto(url=self.base + path) == 200, path

    def sign_in(self, ssm: Cluster, **window: Any) -> None:
        self.base = ssm.gui_url.rstrip("/")
        self.open(**window)
        self.at("/")
        self.fill(selector="#name", text="admin")
        self.fill(selector="#password", text=ssm.admin_password)
        self.press(key="Enter")
        self.see(text="Licensing workspace")

    def keep(self, step: str) -> None:
        """A screenshot of this step."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self._number += 1
        self.shot(path=str(SHOTS / f"{self._name}-{self._number:02d}-{step}.png"))

    def quiet(self, *, moved: bool = False) -> None:
        """The console has no errors; while the server moved, none but of requests that met no server."""
        said = self.console()
        if moved:
            said = [line for line in said if not any(word in line for word in OUT_OF_REACH)]
        assert said == []


@pytest.fixture
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no chromium")
    python = programs("browser", NEEDED) / "python"
    driver = Path(__file__).with_name("browser_driver.py")
    process = subprocess.Popen(
        [str(python), str(driver), chromium], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        yield Browser(process, request.node.name.removeprefix("test_").partition("[")[0])
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def register(ssm: Cluster, folder: Path, token: str, *names: str) -> None:
    """Products register by the VIP and use their licenses."""
    for name in names:
        pid, sn, software, tag, count = DEVICES[name]
        Device.create(folder / name, Udi(pid=pid, sn=sn), hostname=name, software=software)
        with Device.open(folder / name) as device:
            device.set_destination(ssm.url)
            device.trust(ssm.trust_anchor.encode())
            device.register(IdToken(token), wait=20)
            device.request(tag, count, wait=20)


def purchase(ssm: Cluster) -> None:
    for name, (tag, quantity) in LICENSES.items():
        ssm.ask("license.add", name=name, tag=tag, quantity=quantity)


def stopped(browser: Browser, ssm: Cluster, node: str, now: str) -> None:
    """The cluster is stopped on a server while the page is open: it says that the server moved, comes back,
    and shows the roles."""
    browser.at("/admin/")
    browser.quiet()
    ssm.stop(node)
    browser.see(text=f"The server has moved: the {now} is Active now.")
    browser.see(text="disconnected")
    assert f"{now} Active" in browser.text(selector="#ha")
    browser.keep(f"{node}-stopped")
    browser.quiet(moved=True)


def started(browser: Browser, ssm: Cluster, node: str, active: str) -> None:
    """It is started again, and the widget says so by itself; nothing falls back."""
    ssm.start(node)
    ssm.wait(node)
    browser.see(text="Heartbeat connected")
    assert f"{active} Active" in browser.text(selector="#ha")
    assert f"{active} (Master)" in browser.text(selector="#ha")
    browser.keep(f"{node}-started")
    browser.quiet(moved=True)


def synchronize(browser: Browser) -> None:
    browser.at("/admin/synchronization")
    browser.click(selector="text=Synchronize all accounts now")
    browser.see(text="Synchronized with CSSM.")


def test_scenario_a(browser: Browser) -> None:
    """Accounts through failover and fallback: synchronized on either server, TEST made on the Secondary is
    there on the Primary."""
    with Cluster() as ssm:
        browser.sign_in(ssm)
        browser.at("/admin/")
        assert "Primary Active" in browser.text(selector="#ha")
        browser.keep("A1.1-in-place")
        synchronize(browser)
        browser.keep("A1.2-synchronized")
        stopped(browser, ssm, "primary", "Secondary")
        synchronize(browser)
        browser.at("/admin/")
        started(browser, ssm, "primary", "Secondary")
        browser.at("/admin/accounts")
        browser.click(selector="summary:has-text('New account')")
        browser.fill(selector="#f-name", text="TEST")
        browser.click(selector="text=Create and approve")
        browser.see(text="The account is active.")
        browser.keep("A2.12-TEST")
        stopped(browser, ssm, "secondary", "Primary")
        browser.at("/licensing")
        assert "TEST active" in browser.text(selector="table")
        browser.at("/admin/")
        started(browser, ssm, "secondary", "Primary")
        browser.at("/admin/synchronization")
        browser.click(selector="tr:has-text('TEST') button:has-text('Now')")
        browser.see(text="Synchronized with CSSM.")
        browser.keep("A3.12-TEST-synchronized")
        browser.quiet()


def test_scenario_b(browser: Browser, tmp_path: Path) -> None:
    """Registration by the VIP: Host Common Name, synchronization, token, instances and licenses, through
    failover and fallback, with the pages open."""
    with Cluster() as ssm:
        ssm.ask("common-name", name="primary.example.com")
        ssm.ask("synchronize")
        purchase(ssm)
        browser.sign_in(ssm)
        browser.at("/admin/certificates")
        browser.fill(selector="#common-name", text=ssm.vip.host)
        browser.click(selector="text=Save")
        browser.see(text="Pending until synchronized.")
        browser.keep("B1.3-host-common-name")
        synchronize(browser)
        browser.at("/admin/certificates")
        assert "Pending" not in browser.text()
        browser.at("/licensing/general?account=Lab")
        browser.click(selector="text=Create token")
        browser.see(text="It is shown this once")
        token = browser.value(selector="#shown")
        browser.at("/licensing/instances?account=Lab")
        register(ssm, tmp_path, token, *FIRST)
        for name in FIRST:
            browser.see(text=name)  # by itself
        browser.keep("B1.8-product-instances")
        browser.at("/licensing/licenses?account=Lab")
        assert "DNA Premier 50M Prepaid 10 3 +7" in browser.text(selector="table")
        browser.keep("B1.9-licenses")
        stopped(browser, ssm, "primary", "Secondary")
        browser.at("/licensing/instances?account=Lab")
        register(ssm, tmp_path, token, *SECOND)
        for name in SECOND:
            browser.see(text=name)
        browser.keep("B2.11-product-instances")
        browser.at("/admin/")
        started(browser, ssm, "primary", "Secondary")
        stopped(browser, ssm, "secondary", "Primary")
        started(browser, ssm, "secondary", "Primary")
        browser.at("/licensing/instances?account=Lab")
        shown = browser.text(selector="table")
        assert all(name in shown for name in DEVICES)
        browser.keep("B3.11-product-instances")
        browser.at("/licensing/licenses?account=Lab")
        assert "UCM Enhanced User Prepaid 50 32 +18" in browser.text(selector="table")
        browser.keep("B3.12-licenses")
        browser.quiet()


def test_scenario_c(browser: Browser) -> None:
    """The cluster becomes a stand-alone server: the widget goes from the open page; the Secondary says that
    it is discarded."""
    with Cluster() as ssm:
        browser.sign_in(ssm)
        primary, secondary = (
            f"https://{one.host}:{one.gui_port}"
            for one in (ssm.config.nodes.primary, ssm.config.nodes.secondary)
        )
        browser.base = primary
        browser.at("/admin/")
        assert browser.count(selector="#ha") == 1
        browser.keep("C.1-cluster")
        for node in ("primary", "secondary"):
            ssm.console(node, "ha_teardown", lambda _question: "yes")
        browser.gone(selector="#ha")
        browser.keep("C.10-no-widget")
        browser.at("/admin/")
        assert "High Availability" not in browser.text()
        browser.quiet(moved=True)
        browser.goto(url=secondary + "/")
        assert "This server has been discarded." in browser.text()
        assert "High Availability" not in browser.text()
        browser.keep("C.8-discarded")


def test_what_destroys_asks_in_a_dialog(browser: Browser) -> None:
    """By keyboard: the answer no is under the cursor, Escape does nothing, yes does it."""
    with Cluster() as ssm:
        ssm.ask("account.request", name="TEST")
        browser.sign_in(ssm)
        browser.at("/admin/accounts")
        for answer in ("Enter", "Escape"):
            browser.click(selector="button:has-text('Refuse')")
            browser.see(text="Refuse the request for TEST?")
            browser.press(key=answer)
            browser.gone(selector="dialog")
            assert ssm.ask("account.list")["accounts"][-1]["name"] == "TEST"
        browser.click(selector="button:has-text('Refuse')")
        assert browser.axe() == []
        browser.keep("dialog")
        browser.click(selector="dialog button:has-text('Yes')")
        browser.see(text="The request is refused.")
        browser.quiet()


LICENSING = ("general", "licenses", "instances", "policy", "events")
ADMIN = ("", "accounts", "synchronization", "certificates", "api", "users", "network", "events")


def furnished(ssm: Cluster, folder: Path) -> list[str]:
    """A cluster that has something of everything, and all pages."""
    purchase(ssm)
    ssm.ask("virtual-account.create", account="Lab", name="Branch", description="Branch offices")
    ssm.ask("account.request", name="TEST", email="test@example.com")
    ssm.ask("account.create", name="Closed")
    ssm.ask("account.deactivate", name="Closed", reason="no longer needed")
    ssm.ask("user.add", name="anna", password="long enough")
    ssm.ask("api-client.create", name="robot")
    register(ssm, folder, ssm.token(uses=20, description="lab"), *DEVICES)
    ssm.ask("license.add", name="PI Lifecycle", tag=LICENSES["PI Lifecycle"][0], quantity=1)
    ssm.ask("common-name", name="ssm.example.com")
    ssm.ask("browser-certificate.csr")
    tag = LICENSES["DNA Premier 50M"][0]
    pages = [
        "/licensing",
        f"/licensing/license?account=Lab&license={tag}",
        "/licensing/instance?instance=pi37",
    ]
    pages += [f"/licensing/{tab}?account=Lab" for tab in LICENSING]
    pages += ["/licensing/general?account=Closed", "/licensing/instances?account=Lab&place=Branch"]
    return pages + [f"/admin/{page}" for page in ADMIN]


@pytest.mark.timeout(400)
def test_axe_has_nothing_against_any_page(browser: Browser, tmp_path: Path) -> None:
    """Light and dark, 360 and 1440 px wide, all that can be folded out open; nothing is wider than the
    window; also the sign-in and an error."""
    with Cluster() as ssm:
        pages = furnished(ssm, tmp_path)
        for scheme in ("light", "dark"):
            for width in (360, 1440):
                browser.sign_in(ssm, scheme=scheme, width=width)
                for path in pages:
                    browser.at(path)
                    browser.evaluate(
                        script="document.querySelectorAll('details').forEach(one => one.open = true)"
                    )
                    where = f"{path} {scheme} {width}"
                    assert browser.axe() == [], where
                    assert browser.evaluate(script="document.documentElement.scrollWidth <= innerWidth"), (
                        where
                    )
                browser.quiet()
                browser.goto(url=browser.base + "/nothing")
                assert browser.axe() == []
                browser.open(scheme=scheme, width=width)
                browser.at("/sign-in")
                assert browser.axe() == []


def test_the_first_page_is_small_and_quick(browser: Browser, tmp_path: Path) -> None:
    """In a cold browser: all that it takes is under 300 KB. How long it took is printed."""
    with Cluster() as ssm:
        furnished(ssm, tmp_path)
        browser.base = ssm.gui_url.rstrip("/")
        browser.open()
        browser.at("/")
        size, ready = browser.evaluate(
            script="['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))"
            ".reduce(([size, end], one) => [size + one.transferSize, Math.max(end, one.responseEnd)], [0, 0])"
        )
        print(f"the first page: {size} bytes, whole after {ready:.0f} ms")
        assert 0 < size < LARGEST


def test_readme_pictures(browser: Browser, tmp_path: Path) -> None:
    """Three pictures for the README, made by `make screenshots`."""
    with Cluster() as ssm:
        furnished(ssm, tmp_path)
        ssm.ask("common-name", name=ssm.vip.host)
        ssm.ask("synchronize", accounts=["Lab"])
        SHOTS.mkdir(parents=True, exist_ok=True)
        browser.sign_in(ssm, width=1200)
        for name, path in (
            ("high-availability", "/admin/"),
            ("product-instances", "/licensing/instances?account=Lab"),
            ("licenses", f"/licensing/license?account=Lab&license={LICENSES['DNA Premier 50M'][0]}"),
        ):
            browser.at(path)
            browser.shot(path=str(SHOTS / f"{name}.png"), full=False)
            assert (SHOTS / f"{name}.png").stat().st_size > 10_000
