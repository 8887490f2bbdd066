"""Makes the fixture of a release: what it writes on disks, which every later release has to read.

python -m release.formats 0.1.0               with the code that is here
python -m release.formats 0.1.0 --code DIR    with that of another folder, as a worktree of an older commit

It starts a cluster, registers devices and a small fleet, fails over and goes down, all by the command line,
so that older code can make one, too; verbs that it does not know are left out. Below
tests/fixtures/formats/<version> it writes state.tar.xz (the cluster's folder, the devices, the fleet) and
expected.json (what the cluster told of itself). All keys and tokens were made for it, and open nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["FIXTURES", "main"]

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures" / "formats"
_HOSTS = ("127.91.0.1", "127.91.0.2", "127.91.0.3")
_TAG = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"
_USAGE = 64


class Maker:
    """The two programs of a folder of code, with all that they keep in `work`."""

    def __init__(self, code: Path, work: Path) -> None:
        self.work = work
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(code),
            "SMARTLIC_HOME": str(work / "devices"),
            "SMARTLIC_MOCK_FOLDER": str(work / "cluster"),
        }

    def command(self, program: str, *arguments: str) -> list[str]:
        module = {"smartlic": "smartlic_client.cli", "smartlic-mock": "mock_server.cli"}[program]
        return [sys.executable, "-m", module, *arguments]

    def run(self, program: str, *arguments: str, stdin: str = "") -> dict[str, Any]:
        """What it says as JSON; nothing where this release has no such verb."""
        done = subprocess.run(
            self.command(program, *arguments, "--format", "json"),
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.work,
            check=False,
        )
        if done.returncode == _USAGE:
            print(f"left out: {program} {' '.join(arguments[:2])}")
            return {}
        if done.returncode:
            raise RuntimeError(f"{program} {arguments}: {done.stdout}{done.stderr}")
        return dict(json.loads(done.stdout)) if done.stdout.startswith("{") else {}

    def mock(self, *arguments: str, stdin: str = "") -> dict[str, Any]:
        return self.run("smartlic-mock", *arguments, stdin=stdin)

    def device(self, name: str, *arguments: str, stdin: str = "") -> dict[str, Any]:
        return self.run("smartlic", "--device", name, *arguments, stdin=stdin)


def make(maker: Maker) -> dict[str, Any]:
    """Play a short life; what the cluster tells at its end."""
    primary, secondary, vip = _HOSTS
    where = ["--primary", primary, "--secondary", secondary, "--vip", vip]
    process = subprocess.Popen(
        maker.command("smartlic-mock", "up", *where, "--format", "json"),
        stdout=subprocess.PIPE,
        text=True,
        env=maker.environment,
        cwd=maker.work,
    )
    try:
        if process.stdout is None or '"up":true' not in process.stdout.readline():
            raise RuntimeError("the cluster is not up")
        return _life(maker, vip)
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def _life(maker: Maker, vip: str) -> dict[str, Any]:
    mock, device = maker.mock, maker.device
    mock("host-common-name", vip)
    mock("sync")
    mock("license", "add", "DNA Premier", "--tag", _TAG, "--quantity", "10")
    token = mock("token", "create", "--uses", "20")["token"]
    mock("user", "add", "anna", "--password-file", "-", stdin="a password of a fixture\n")
    mock("api-client", "create", "--save", "client.json")
    anchor = maker.work / "anchor.pem"
    anchor.write_text(mock("certificates")["trust_anchor"])
    url = f"https://{vip}:4443/Transportgateway/services/DeviceRequestHandler"
    for number, name in enumerate(("annanr-39", "gone-40")):
        device(name, "init", "--pid", "C9300-24T", "--sn", f"FIX{number}", "--name", name)
        device(name, "transport", url)
        device(name, "trust", str(anchor))
        device(name, "register", "--token", "-", stdin=token)
        device(name, "request", _TAG, str(2 + number))
    device("gone-40", "deregister")
    (maker.work / "fleet.csv").write_text("name,pid,sn\nf-1,C9300-24T,FLEET1\nf-2,C9300-24T,FLEET2\n")
    (maker.work / "token").write_text(token)
    fleet = ["fleet", "fleet.csv", "--server", url, "--ca", str(anchor), "--token", "token", "--once"]
    maker.run("smartlic", *fleet)
    (maker.work / "token").unlink()
    mock("console", "primary", "ha_cluster_stop")
    device("annanr-39", "request", _TAG, "4", "--wait", "30")
    mock("console", "primary", "ha_cluster_start")
    return {
        "instances": mock("instances")["instances"],
        "licenses": mock("licenses")["licenses"],
        "accounts": mock("accounts")["accounts"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m release.formats")
    parser.add_argument("version")
    parser.add_argument("--code", type=Path, default=Path(__file__).parents[1])
    options = parser.parse_args()
    target = FIXTURES / options.version
    with tempfile.TemporaryDirectory(prefix="smartlic-formats-") as folder:
        maker = Maker(options.code.absolute(), Path(folder))
        expected = make(maker)
        target.mkdir(parents=True, exist_ok=True)
        with tarfile.open(target / "state.tar.xz", "w:xz") as archive:
            for path in sorted(Path(folder).rglob("*")):
                if path.is_file() and path.suffix not in (".log", ".lock"):
                    archive.add(path, path.relative_to(folder), recursive=False, filter=_nobodys)
    text = json.dumps({"version": options.version, **expected}, indent=1, ensure_ascii=False)
    (target / "expected.json").write_text(text + "\n")
    print(f"Wrote {target}")


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without who made it."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    main()
