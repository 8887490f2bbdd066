"""The pages of a real cluster, as a person without scripts uses them, and what others try with them."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from mock_server.library.cluster import Cluster
from mock_server.pages.actions import ACTIONS
from smartlic_client import Device, IdToken, Udi
from tests.browsing import Browser, anchor_of
from tests.support import DNA

pytestmark = pytest.mark.real

NASTY = "<b>A / B</b> & 'ü' \"?#%2F"
LICENSING = ("general", "licenses", "instances", "policy", "events")
ADMIN = ("", "accounts", "synchronization", "certificates", "api", "users", "network", "events")


@pytest.fixture(scope="module")
def ssm() -> Iterator[Cluster]:
    with Cluster() as cluster:
        cluster.ask("license.add", name="DNA Premier <50M>", tag=DNA, quantity=10)
        cluster.ask("account.create", name=NASTY)
        cluster.ask("virtual-account.create", account="Lab", name="Branch / Süd")
        yield cluster


@pytest.fixture(scope="module")
def anchor(ssm: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    return anchor_of(ssm, tmp_path_factory.mktemp("anchor"))


@pytest.fixture
def browser(ssm: Cluster, anchor: str) -> Iterator[Browser]:
    """Signed in as the administrator."""
    with Browser(ssm.gui_url, anchor) as one:
        assert one.sign_in(ssm.admin_password).url.endswith("/licensing")
        yield one


@pytest.fixture
def guest(ssm: Cluster, anchor: str) -> Iterator[Browser]:
    with Browser(ssm.gui_url, anchor) as one:
        yield one


def device(ssm: Cluster, folder: Path, name: str, licenses: int = 0) -> None:
    Device.create(folder / "device", Udi(pid="C9300-24T", sn=f"S{name[:20]}"), hostname=name)
    with Device.open(folder / "device") as one:
        one.set_destination(ssm.url)
        one.trust(ssm.trust_anchor.encode())
        one.register(IdToken(ssm.token()))
        if licenses:
            one.request(DNA, licenses)


# ---- who may see what -------------------------------------------------------------------------------------
def test_only_health_and_trust_anchor_are_public(guest: Browser) -> None:
    """Every page leads to the sign-in, and back to where one wanted to go."""
    assert guest.get("/health").json()["active"] == "primary"
    assert guest.get("/trust-anchor.pem").text.startswith("-----BEGIN CERTIFICATE-----")
    for path in ("/", "/licensing", "/licensing/instances?account=Lab", "/admin/", "/charts/roles.svg", "/x"):
        guest.get(path)
        assert guest.page.url.partition("?")[0].endswith("/sign-in"), path
        assert "Sign in" in guest.tree.findtext(".//title")
    guest.get("/admin/users")
    assert guest.form("/sign-in").fields["next"] == "/admin/users"
    assert guest.get("/live").status_code == 401
    assert guest.post("/do", {"action": "user.add"}).url.endswith("/sign-in")


def test_wrong_passwords_are_told_and_limited(ssm: Cluster, guest: Browser) -> None:
    """The same words for a wrong name; after five of one name in a minute there is a pause, for that name."""
    guest.get("/sign-in")
    for name in ("admin", "nobody", "<script>", ""):
        assert guest.submit("/sign-in", name=name, password="wrong").status_code == 403
        assert "The name or the password is wrong." in guest.text
    for _ in range(5):
        guest.submit("/sign-in", name="somebody", password="wrong")
    assert guest.submit("/sign-in", name="somebody", password="wrong").status_code == 429
    assert int(guest.page.headers["Retry-After"]) <= 60
    assert guest.sign_in(ssm.admin_password).url.endswith("/licensing")


def test_where_to_go_on_is_here(ssm: Cluster, guest: Browser) -> None:
    """A link to the sign-in does not lead to another server."""
    guest.get("/sign-in", next="https://evil.example/")
    guest.submit("/sign-in", name="admin", password=ssm.admin_password)
    assert guest.page.url == guest.base + "/licensing"


def test_answers_bear_what_browsers_need(browser: Browser) -> None:
    """A policy without inline scripts and styles, no framing, no caching; a cookie of this host."""
    cookie = next(iter(browser.session.cookies))
    assert cookie.name.startswith("__Host-")
    assert cookie.secure
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite", "").lower() == "strict"
    for path in ("/licensing", "/admin/", "/nothing", "/sign-in", "/static/app.js"):
        headers = browser.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "'unsafe" not in policy
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert browser.get("/licensing").headers["Cache-Control"] == "no-store"
    assert not browser.tree.xpath("//script[not(@src)]|//style|//*[@style]|//*[@onclick]")
    version = browser.tree.xpath("//script/@src")[0]
    assert "immutable" in browser.get(version).headers["Cache-Control"]
    browser.get("/charts/roles.svg")
    assert b"<script" not in browser.page.content
    assert browser.page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'unsafe")


def test_a_form_of_no_page_of_this_session_does_nothing(ssm: Cluster, browser: Browser, anchor: str) -> None:
    """Without the token, with a wrong one, with one of another session: 400, and nothing has happened."""
    before = ssm.ask("user.list")
    fields = {"action": "user.add", "name": "mallory", "password": "long enough"}
    with Browser(ssm.gui_url, anchor) as other:
        other.sign_in(ssm.admin_password)
        other.get("/admin/users")
        stolen = other.form("user.add").fields["csrf"]
    for extra in ({}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": stolen}):
        assert browser.post("/do", {**fields, **extra}).status_code == 400
        assert "stale-form" in browser.text
    assert browser.post("/sign-out", {}).status_code == 400
    assert ssm.ask("user.list") == before
    assert browser.get("/do").status_code in (404, 405)


def test_a_user_has_no_administration(ssm: Cluster, guest: Browser) -> None:
    """403 for every page and every action of administrators, though the form is right; the rest works."""
    ssm.ask("user.add", name="Jörg <i>", password="long enough")
    guest.sign_in("long enough", "Jörg <i>")
    assert "Administration" not in guest.text
    assert "Jörg <i>" in guest.text
    for page in ADMIN:
        assert guest.get(f"/admin/{page}").status_code == 403
    guest.get("/licensing/general", account="Lab")
    token = guest.form("token.create").fields["csrf"]
    for name, action in ACTIONS.items():
        if action.administrators:
            guest.post("/do", {"csrf": token, "action": name, "name": "x", "password": "long enough"})
            assert guest.page.status_code in (400, 403), name
            assert "not-allowed" in guest.text, name
    assert guest.get("/licensing/general", account="Lab").status_code == 200
    guest.submit("token.create", description="of a user")
    assert "It is shown this once" in guest.text
    ssm.ask("user.remove", name="Jörg <i>")


def test_a_session_ends_with_its_user(ssm: Cluster, guest: Browser) -> None:
    """A password changed elsewhere, a user removed, a sign-out: the next request is nobody's."""
    ssm.ask("user.add", name="anna", password="long enough")
    guest.sign_in("long enough", "anna")
    assert guest.get("/licensing").url.endswith("/licensing")
    ssm.ask("user.password", name="anna", password="another one")
    assert "/sign-in" in guest.get("/licensing").url
    guest.sign_in("another one", "anna")
    ssm.ask("user.remove", name="anna")
    assert "/sign-in" in guest.get("/licensing").url
    guest.sign_in(ssm.admin_password)
    copied = guest.session.cookies.get_dict()

    def goes_with_a_copy() -> str:
        where = f"{guest.base}/licensing"
        page = requests.get(where, cookies=copied, verify=guest._anchor, timeout=10)
        return page.url.partition(guest.base)[2]

    assert goes_with_a_copy() == "/licensing"
    guest.submit("/sign-out")
    assert "/sign-in" in guest.get("/licensing").url
    assert "/sign-in" in goes_with_a_copy()


# ---- what the pages show ----------------------------------------------------------------------------------
def test_every_page_reads_without_scripts(ssm: Cluster, browser: Browser, tmp_path: Path) -> None:
    """Each of the account with the worst name, and each of the administration: 200, one heading, names as
    text, nothing that the markup of a name has made."""
    device(ssm, tmp_path, "<img src=x onerror=alert(1)>", 3)
    pages: list[tuple[str, dict[str, str]]] = [("/licensing", {})]
    pages += [(f"/licensing/{tab}", {"account": name}) for tab in LICENSING for name in ("Lab", NASTY)]
    pages += [("/licensing/instances", {"account": "Lab", "place": "Branch / Süd"})]
    pages += [("/licensing/license", {"account": "Lab", "license": DNA})]
    pages += [("/licensing/instance", {"instance": "<img src=x onerror=alert(1)>"})]
    pages += [(f"/admin/{page}", {}) for page in ADMIN]
    for path, query in pages:
        assert browser.get(path, **query).status_code == 200, (path, query, browser.text)
        assert len(browser.tree.xpath("//h1")) == 1, path
        assert browser.tree.find(".//title").text.endswith("On-Prem License Workspace")
        assert not browser.tree.xpath("//b|//i|//img[@onerror]"), path
        ids = browser.tree.xpath("//@id")
        assert len(ids) == len(set(ids)), path
        assert "authorizes no real product" in browser.text
    browser.get("/licensing/instances", account="Lab")
    assert browser.rows()[0][:2] == ["<img src=x onerror=alert(1)>", "C9300-24T"]
    browser.get("/licensing/licenses", account="Lab")
    assert browser.rows()[0][:5] == ["DNA Premier <50M>", "Prepaid", "10", "3", "+7"]
    browser.get("/charts/use.svg", account="Lab", license=DNA)
    assert browser.page.headers["Content-Type"] == "image/svg+xml"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/licensing/general", 404),
        ("/licensing/general?account=Nobody", 404),
        ("/licensing/general?account=Lab&place=Nowhere", 404),
        ("/licensing/general?account=%00%ff", 404),
        ("/licensing/license?account=Lab&license=none", 404),
        ("/licensing/instance?instance=none", 404),
        ("/licensing/" + "x" * 10_000, 404),
        ("/static/../app.py", 404),
        ("/static/%2e%2e%2fapp.py", 404),
        ("/licensing?page=0", 200),
        ("/licensing?page=-1&sort=nonsense&order=up", 200),
        ("/licensing?page=" + "9" * 500, 200),
        ("/licensing/instances?account=Lab&page=1e3&search=%F0%9F%98%80", 200),
        ("/licensing/events?account=Lab&before=-5", 200),
        ("/admin/events?page=99999999", 200),
        ("/admin", 200),
    ],
)
def test_what_makes_no_sense_is_a_page_all_the_same(browser: Browser, path: str, status: int) -> None:
    """Unknown names are 404 and say what to do; numbers and orders that make no sense are left out."""
    assert browser.get(path).status_code == status
    assert "Traceback" not in browser.page.text
    if status != 200 and "/static/" not in path:
        assert browser.tree.xpath("//*[@role='alert']")
        assert "Begin at" in browser.text or "See `" in browser.text


def test_lists_are_csv_too(browser: Browser) -> None:
    """The same rows, with all pages of them, as a file."""
    for path in ("/licensing", "/licensing/general?account=Lab", "/licensing/licenses?account=Lab"):
        browser.get(path)
        link = browser.tree.xpath("//a[contains(@href, 'format=csv')]/@href")[0]
        shown = [row[0] for row in browser.rows()]
        answer = browser.get(link)
        assert answer.headers["Content-Type"].startswith("text/csv")
        assert "attachment" in answer.headers["Content-Disposition"]
        lines = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert [line[0].removeprefix("'") for line in lines[1:]] == [one for one in shown if "no " not in one]
    for path in ("instances", "policy", "events"):
        assert browser.get(f"/licensing/{path}?account=Lab&format=csv").status_code == 200
    for path in ADMIN:
        if path not in ("certificates", "network"):
            assert browser.get(f"/admin/{path}?format=csv").headers["Content-Type"].startswith("text/csv")


# ---- what is done -----------------------------------------------------------------------------------------
def test_what_people_do_is_done_and_told_who_did_it(ssm: Cluster, browser: Browser, tmp_path: Path) -> None:
    """A token, a virtual account, an instance renamed, moved and removed, by the administrator."""
    browser.get("/licensing/general", account="Lab")
    browser.submit("token.create", description="for <pages>", days="2", uses="")
    token = browser.tree.xpath("//textarea")[0].value
    browser.get("/licensing/general", account="Lab", search="for <pages>")
    row = browser.rows()[0]
    assert row[1:3] == ["for <pages>", "usable"]
    assert token not in browser.page.text
    browser.submit("token.revoke", {"token_id": row[0]})
    assert "The token is revoked." in browser.text

    device(ssm, tmp_path, "pi37", 2)
    browser.get("/licensing/instance", instance="pi37")
    browser.submit("instance.rename", name="pi 37 / b")
    assert "The product instance is renamed." in browser.text
    browser.get("/licensing/events", account="Lab")
    assert browser.rows()[0][2:5:2] == ["admin", "Product instance pi37 renamed to pi 37 / b"]
    browser.get("/licensing/instance", instance="pi 37 / b")
    browser.submit("instance.transfer", to="Branch / Süd")
    browser.get("/licensing/licenses", account="Lab", place="Branch / Süd")
    assert browser.rows()[0][3:5] == ["2", "-2"]
    assert "Insufficient Licenses: 2 short" in browser.text
    browser.get("/licensing/license", account="Lab", license=DNA)
    browser.submit("license.transfer", to="Branch / Süd", quantity="2")
    browser.get("/licensing/instances", account="Lab", place="Branch / Süd")
    piid = browser.form("instance.remove").fields["instance"]
    browser.submit("instance.remove", {"instance": piid})
    assert browser.rows() == [["No product instance is registered here."]]
    browser.get("/admin/events")
    assert [row[2] for row in browser.rows()[:3]] == ["admin"] * 3


def test_what_destroys_asks_first(ssm: Cluster, browser: Browser) -> None:
    """Sent without the answer, the form only asks, with the name as text; nothing has happened."""
    ssm.ask("account.request", name="<b>Doomed</b>")
    browser.get("/admin/accounts")
    form = browser.form("account.refuse", name="<b>Doomed</b>")
    values = dict(form.form_values())
    browser.post("/do", values)
    assert "Refuse the request for <b>Doomed</b>?" in browser.text
    assert ssm.ask("account.list")["accounts"][-1]["status"] == "requested"
    browser.post("/do", dict(browser.tree.forms[1].form_values()))
    assert "The request is refused." in browser.text
    names = [account["name"] for account in ssm.ask("account.list")["accounts"]]
    assert "<b>Doomed</b>" not in names


def test_accounts_live_on_the_pages(ssm: Cluster, browser: Browser) -> None:
    """Requested, approved, deactivated with a reason, activated, deactivated and deleted; CSSM's part too."""
    name = "Büro / Süd"
    browser.get("/admin/accounts")
    browser.submit("account.create", action="account.request", name=name, email="a@example.com")
    browser.submit("account.approve", {"name": name})
    assert "The account is active." in browser.text
    browser.get("/admin/synchronization")
    browser.submit("sync.schedule", {"account": name}, every="weekly")
    browser.submit("synchronize", {"accounts": name})
    assert "Synchronized with CSSM." in browser.text
    row = next(row for row in browser.rows() if row[0] == name)
    assert row[3] == "weekly"
    browser.submit("sync.request-file", {"account": name})
    assert browser.tree.xpath("//textarea")
    browser.get("/admin/accounts")
    browser.submit("account.deactivate", {"name": name}, reason="closed")
    assert "inactive closed" in browser.text
    browser.submit("account.activate", {"name": name})
    browser.submit("account.deactivate", {"name": name}, reason="closed")
    browser.submit("account.delete", {"name": name})
    assert name not in [account["name"] for account in ssm.ask("account.list")["accounts"]]


def test_the_common_name_is_pending_until_synchronized(ssm: Cluster, browser: Browser) -> None:
    """B1.3 to B1.6 on the pages: set, said to be pending, synchronized, served."""
    vip = ssm.vip.host
    browser.get("/admin/certificates")
    browser.submit("common-name", name="ssm.example.com")
    assert "Pending until synchronized." in browser.text
    browser.submit("common-name", name=vip)
    browser.get("/admin/synchronization")
    browser.submit("synchronize")
    browser.get("/admin/certificates")
    assert "Pending" not in browser.text
    browser.submit("common-name", name="not a name")
    assert browser.page.status_code == 400
    assert "bad-common-name" in browser.text


def test_the_browser_certificate_is_asked_for_and_a_wrong_one_refused(browser: Browser) -> None:
    """A signing request is shown; a file that is no chain is told what is wrong with it."""
    browser.get("/admin/certificates")
    browser.submit("browser-certificate.csr")
    assert "BEGIN CERTIFICATE REQUEST" in browser.tree.xpath("//textarea")[0].value
    browser.get("/admin/certificates")
    values = dict(browser.form("browser-certificate.upload").form_values())
    browser.post("/do", values, files={"chain": ("x.pem", b"no chain \xff")})
    assert "browser-chain-unreadable" in browser.text
    browser.get("/admin/certificates")
    browser.submit("browser-certificate.reset")
    assert "The cluster's own certificate is served." in browser.text


def test_users_and_clients(ssm: Cluster, browser: Browser) -> None:
    """Made, changed and removed; a client's secret is shown once."""
    browser.get("/admin/users")
    browser.submit("user.add", name="berta", password="long enough", role="administrator")
    browser.submit("user.password", {"name": "berta"}, password="even longer")
    assert "The password is changed." in browser.text
    browser.submit("user.remove", {"name": "berta"})
    browser.submit("user.remove", {"name": "admin"})
    assert "last-administrator" in browser.text
    browser.get("/admin/api")
    browser.submit("api-client.create", name="robot", account="Lab")
    secret = browser.tree.get_element_by_id("client-secret").value
    assert len(secret) == 64
    browser.get("/admin/api")
    assert secret not in browser.page.text
    browser.submit("api-client.delete", {"title": "robot"})
    assert ssm.ask("api-client.list")["api_clients"] == []


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("token.create", {"days": "0"}),
        ("token.create", {"days": "many"}),
        ("token.create", {"uses": "1.5"}),
        ("token.create", {"account": "Nobody"}),
        ("virtual-account.create", {"name": " "}),
        ("virtual-account.create", {"name": "x" * 101}),
        ("nonsense", {}),
    ],
)
def test_bad_fields_are_told(browser: Browser, action: str, fields: dict[str, str]) -> None:
    """An error of its own each, with the way back; never a traceback."""
    browser.get("/licensing/general", account="Lab")
    values = dict(browser.form("token.create").form_values())
    browser.post("/do", {**values, "action": action, **fields})
    assert browser.page.status_code in (400, 404)
    assert "That was not done" in browser.text
    back = browser.tree.xpath("//a[text()='Back']/@href")[0]
    assert back == "/licensing/general?account=Lab"


def test_the_second_of_two_who_change_the_same_is_told(ssm: Cluster, browser: Browser, anchor: str) -> None:
    """Both have the page open; one sets the Host Common Name, and the other's form is refused with 409."""
    with Browser(ssm.gui_url, anchor) as other:
        other.sign_in(ssm.admin_password)
        for one in (browser, other):
            one.get("/admin/certificates")
        browser.submit("common-name", name="one.example.com")
        assert other.submit("common-name", name="two.example.com").status_code == 409
        assert "Somebody else has changed it" in other.text
    assert ssm.ask("certificates")["common_name"] == "one.example.com"
    ssm.ask("common-name", name=ssm.vip.host)


def test_bodies_that_are_no_forms(ssm: Cluster, browser: Browser, anchor: str) -> None:
    """JSON, broken multipart, too many fields, too much: an error page, and the next request works."""
    url = browser.base + "/do"
    many = {f"f{number}": "x" for number in range(500)}
    for data, kind, statuses in (
        (b"{}", "application/json", (400,)),
        (b"--x\r\nbroken", "multipart/form-data; boundary=y", (400,)),
        (b"a=%FF%FE&csrf=%00", "application/x-www-form-urlencoded", (400,)),
        ("&".join(f"{name}=x" for name in many).encode(), "application/x-www-form-urlencoded", (400,)),
        (b"x" * (9 << 20), "application/x-www-form-urlencoded", (413,)),
    ):
        try:
            answer = browser.session.post(
                url, data, headers={"Content-Type": kind}, verify=anchor, timeout=10
            )
        except requests.ConnectionError:
            assert statuses == (413,)  # answered while the rest was still being sent
            continue
        assert answer.status_code in statuses, kind
        assert "Traceback" not in answer.text
    assert browser.get("/licensing").status_code == 200


# ---- live, and through a failover -------------------------------------------------------------------------
def test_open_pages_are_told(ssm: Cluster, browser: Browser) -> None:
    """An event comes at once, and another when something has changed; not when nothing has."""
    with browser.session.get(
        browser.base + "/live", verify=browser._anchor, stream=True, timeout=10
    ) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        first = _event(lines)
        ssm.token()
        second = _event(lines)
    assert second["number"] > first["number"]
    assert first["active"] == "primary"


def _event(lines: Iterator[bytes]) -> dict[str, Any]:
    for line in lines:
        if line.startswith(b"data: "):
            found: dict[str, Any] = json.loads(line[6:])
            return found
    raise AssertionError("the stream has ended")


def test_a_session_survives_a_failover(tmp_path: Path) -> None:
    """A2, A3 on the pages: who is signed in on the Primary is on the Secondary; a stream ends with the
    planned stop at once, and does not hold it up; the widget says who is Active; a form from before works."""
    with Cluster() as ssm, Browser(ssm.gui_url, anchor_of(ssm, tmp_path)) as browser:
        browser.sign_in(ssm.admin_password)
        browser.get("/admin/")
        assert re.search(r"Primary Active .* Secondary Standby", browser.text)
        assert re.search("Heartbeat *connected", browser.text)
        browser.get("/admin/users")
        form = dict(browser.form("user.add").form_values())
        ended = threading.Event()

        def listen() -> None:
            with Browser(ssm.gui_url, browser._anchor) as other:
                other.session.cookies.update(browser.session.cookies)
                with other.session.get(
                    other.base + "/live", verify=other._anchor, stream=True, timeout=20
                ) as told:
                    listening.set()
                    try:
                        for _ in told.iter_lines():
                            pass
                    except requests.RequestException:
                        pass
            ended.set()

        listening = threading.Event()
        thread = threading.Thread(target=listen)
        thread.start()
        assert listening.wait(10)
        ssm.stop("primary")
        assert ended.wait(10)
        thread.join()
        browser.get("/admin/")
        assert browser.page.status_code == 200
        assert re.search(r"Primary Standby .* Secondary Active", browser.text)
        assert re.search("Heartbeat *disconnected", browser.text)
        browser.post("/do", {**form, "name": "anna", "password": "long enough"})
        assert "The user is added." in browser.text
        ssm.start("primary")
        ssm.wait("primary")
        browser.get("/admin/")
        assert re.search("Heartbeat *connected", browser.text)


def test_a_stand_alone_server_has_no_widget(tmp_path: Path) -> None:
    """C.8, C.10: after the teardown neither server's page has the High Availability widget any more."""
    with Cluster() as ssm, Browser(ssm.gui_url, anchor_of(ssm, tmp_path)) as browser:
        browser.sign_in(ssm.admin_password)
        assert "High Availability" in browser.get("/admin/").text
        for node in ("primary", "secondary"):
            ssm.console(node, "ha_teardown", lambda _question: "yes")
        for name in ("primary", "secondary"):
            own = ssm.config.nodes.primary if name == "primary" else ssm.config.nodes.secondary
            with Browser(f"https://{own.host}:{own.gui_port}", browser._anchor) as one:
                if name == "primary":
                    one.sign_in(ssm.admin_password)
                assert one.get("/admin/" if name == "primary" else "/").status_code == 200
                assert "High Availability" not in one.page.text
