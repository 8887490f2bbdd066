"""Fixtures for tests against a mock SSM On-Prem. pytest finds them by itself; unused they cost nothing.

def test_my_automation(ssm_server, ssm_token):
    register_my_product(ssm_server.url, ssm_server.trust_anchor, ssm_token)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mock_server.library.cluster import Cluster
    from mock_server.library.faults import ClusterFaults
    from smartlic_client import Device

_OPTION = "--ssm-processes"
_INI = "ssm_processes"
_MARKER = (
    "ssm_processes: the servers of `ssm_cluster` and `ssm_server` are processes, not threads, in this test"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("smartlic", "mock SSM On-Prem servers")
    group.addoption(
        _OPTION,
        action="store_true",
        default=False,
        help="Run the servers of ssm_cluster and ssm_server as processes, not in threads of pytest's own.",
    )
    parser.addini(_INI, f"The same as {_OPTION}, for all runs.", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


def _as_processes(request: pytest.FixtureRequest) -> bool:
    if request.node.get_closest_marker("ssm_processes") is not None:
        return True
    return bool(request.config.getoption(_OPTION) or request.config.getini(_INI))


def _require_server() -> None:
    from mock_server import extra
    from mock_server.errors import CallerError

    try:
        extra.require()
    except CallerError as error:
        pytest.fail(f"{error}\n{error.mend}", pytrace=False)


@pytest.fixture
def ssm_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A mock SSM On-Prem cluster that is up: a `mock_server.Cluster` with both servers in sync.

    `.url` is the Transport Gateway URL for products, `.trust_anchor` the licensing root as PEM, `.token()`
    makes an ID token. `.kill("primary")`, `.hang`, `.resume`, `.cut`, `.stop`, `.start` act on its servers.

    Each test has one of its own, on free ports of 127.0.0.1, in threads of this process. With the marker
    `ssm_processes`, the option `--ssm-processes` or the ini value `ssm_processes` its servers are processes.
    """
    _require_server()
    from mock_server.library.cluster import Cluster

    with Cluster(processes=_as_processes(request)) as cluster:
        yield cluster


@pytest.fixture
def ssm_server(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """One mock SSM On-Prem server, for tests that need no failover: it starts faster than `ssm_cluster`.

    It is the same `mock_server.Cluster`, with only its Primary up. A test that asks for `ssm_cluster` as well
    gets that one here.
    """
    if "ssm_cluster" in request.fixturenames:
        yield request.getfixturevalue("ssm_cluster")
        return
    _require_server()
    from mock_server.library.cluster import Cluster

    with Cluster(servers=1, processes=_as_processes(request)) as server:
        yield server


@pytest.fixture
def ssm_token(ssm_server: Cluster) -> str:
    """The text of a new ID token of this test's server or cluster: for any number of products, 30 days."""
    return ssm_server.token()


@pytest.fixture
def ssm_faults(ssm_server: Cluster) -> Iterator[ClusterFaults]:
    """Faults on purpose of this test's server or cluster: `ssm_faults.set("drop", times=1)`.

    They are cleared at the end of the test; `.requests()` says what came, and what it met.
    """
    ssm_server.faults.reset()
    yield ssm_server.faults
    ssm_server.faults.clear()


@pytest.fixture
def ssm_device(ssm_server: Cluster, tmp_path: Path) -> Iterator[Callable[..., Device]]:
    """Makes registered products: `ssm_device()` or `ssm_device("name", pid=…, serial=…, register=False)`.

    Each is an open `smartlic_client.Device` that trusts the server or cluster of this test and has its URL as
    destination, registered with a token of its own. All are closed at the end of the test.
    """
    from smartlic_client import Device, IdToken, Udi

    with ExitStack() as opened:
        made: list[str] = []

        def make(
            name: str | None = None,
            *,
            pid: str = "C9300-24T",
            serial: str | None = None,
            register: bool = True,
        ) -> Device:
            name = name or f"device-{len(made) + 1}"
            made.append(name)
            folder = tmp_path / "ssm-devices" / name
            Device.create(folder, Udi(pid=pid, sn=serial or f"SN{len(made):06}"), hostname=name)
            device = opened.enter_context(Device.open(folder))
            device.set_destination(ssm_server.url)
            device.trust(ssm_server.trust_anchor.encode())
            if register:
                device.register(IdToken(ssm_server.token(uses=1)), wait=10)
            return device

        yield make
