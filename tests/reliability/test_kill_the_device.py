"""kill -9 of the device between sending and the answer."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from smartlic_client.device import Device
from smartlic_client.protocol.identity import Udi
from tests.reliability.proxy import HoldingProxy
from tests.support import cluster, new_addresses, program, token


def test_it_goes_on_with_the_same_message_one_instance_one_token_use(tmp_path: Path) -> None:
    """A device killed after the server accepted its registration goes on with the same message id."""
    with cluster(tmp_path) as stage:
        secret = token(stage, uses=1)
        folder = tmp_path / "devices" / "dev"
        Device.create(folder, Udi(pid="C9300-24T", sn="FOC1"), hostname="dev")
        with Device.open(folder) as device:
            device.set_destination(stage.url)
            device.trust(stage.ask("certificates")["trust_anchor"].encode())
        vip = stage.config.vip
        smartlic = program("smartlic", tmp_path / "devices")
        between = (new_addresses().vip, vip.device_port)
        with HoldingProxy(between, (vip.host, vip.device_port)) as proxy:
            resolve = f"{vip.host}:{vip.device_port}:{between[0]}"
            process = subprocess.Popen(
                smartlic.command("register", "--token", "-", "--resolve", resolve),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env=smartlic.environment,
                text=True,
            )
            assert process.stdin is not None
            with process.stdin as stdin:
                stdin.write(secret)
            assert proxy.answered.wait(20)
            process.send_signal(signal.SIGKILL)
            process.wait()
        (instance,) = stage.ask("instance.list")["instances"]
        saved = json.loads((folder / "device.json").read_text())["state"]["record"]
        message_id = saved["in_flight"]["message_id"]
        assert saved["identity"] is None

        done = smartlic.json("register", "--token", "-", stdin=secret)

        assert done["resumed"]
        assert done["piid"] == instance["product_instance_identifier"]
        assert [
            found["product_instance_identifier"] for found in stage.ask("instance.list")["instances"]
        ] == [done["piid"]]
        assert stage.ask("token.list")["tokens"][0]["used"] == 1
        kept = _last_message(stage.cluster, done["piid"])
        assert kept == message_id


def _last_message(cluster_folder: Path, piid: str) -> str:
    """The message id whose result the Primary's journal keeps for an instance."""
    import sqlite3

    import msgspec

    path = cluster_folder / "nodes" / "primary" / "journal.sqlite"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        row = database.execute(
            "SELECT body FROM aggregate WHERE kind = 'instance' AND key = ?", (piid,)
        ).fetchone()
    database.close()
    return str(msgspec.msgpack.decode(row[0])["last"]["message_id"])
