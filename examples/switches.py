"""An emulator of switches in one process: each uses as many licenses as it has ports that are up.

    python examples/switches.py FOLDER URL ANCHOR TOKEN sw-1 sw-2      (ANCHOR and TOKEN are files)

It reads lines such as `sw-1 up 7` and `sw-1 down 7`, and says what the server thinks of each switch.
"""

import asyncio
import sys
from pathlib import Path

from smartlic_client import AsyncDevice, IdToken, SmartlicError, Udi

TAG = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"


class Switch:
    def __init__(self, name: str, device: AsyncDevice) -> None:
        self.name, self.device, self.ports = name, device, set[int]()

    async def set_port(self, port: int, up: bool) -> None:
        (self.ports.add if up else self.ports.discard)(port)
        # Several changes within two seconds are told in one message.
        await self.device.request(TAG, len(self.ports), at_once=False)

    def __str__(self) -> str:
        record = self.device.record
        return f"{self.name}: {len(self.ports)} ports up, {record.registration}, {record.authorization}"


async def boot(name: str, folder: Path, url: str, anchor: bytes, token: IdToken) -> Switch:
    if not (folder / name).exists():
        await AsyncDevice.create(folder / name, Udi(pid="C9300-24T", sn=name.upper()), hostname=name)
    device = await AsyncDevice.open(folder / name)
    await device.set_destination(url)
    await device.trust(anchor)
    if device.record.identity is None:
        await device.register(token, wait=60)
    return Switch(name, device)


async def main(folder: Path, url: str, anchor: bytes, token: IdToken, names: list[str]) -> None:
    switches = {name: await boot(name, folder, url, anchor, token) for name in names}
    timers = [asyncio.create_task(switch.device.run()) for switch in switches.values()]
    while words := (await asyncio.to_thread(sys.stdin.readline)).split():
        try:
            await switches[words[0]].set_port(int(words[2]), up=words[1] == "up")
        except (KeyError, ValueError, IndexError, SmartlicError) as error:
            print(f"no: {error}", file=sys.stderr)
    for timer, switch in zip(timers, switches.values(), strict=True):
        await switch.device.report(wait=60)
        timer.cancel()
        await asyncio.wait([timer])
        await switch.device.aclose()
        print(switch)


if __name__ == "__main__":
    folder, url, anchor, token, *names = sys.argv[1:]
    asyncio.run(main(Path(folder), url, Path(anchor).read_bytes(), IdToken(Path(token).read_text()), names))
