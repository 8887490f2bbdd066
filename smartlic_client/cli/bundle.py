"""What goes into a support bundle. Secrets are taken out twice: by their place in a record, then every
text is searched for their values and for what looks like one.
"""

from __future__ import annotations

import io
import platform
import re
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

from smartlic_client import __version__
from smartlic_client.cli.configuration import Found, masked
from smartlic_client.device import Device
from smartlic_client.errors import SmartlicError
from smartlic_client.protocol.logs import Logged
from smartlic_client.store import device_folder

__all__ = ["collect", "packed", "scrubbed", "secrets_in"]

REMOVED: Final = "[removed]"
_SECRET: Final = frozenset({"key", "new_key", "id_token", "trust_code"})
_PACKAGES = ("click", "cryptography", "filelock", "httpx", "lxml", "msgspec", "requests", "urllib3")
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# An ID token: percent-encoded base64 of `<uuid>-<milliseconds>|<secret>`.
_TOKEN = re.compile(r"[A-Za-z0-9+/%=]{100,}(?:%0A|%3D)[A-Za-z0-9+/%=]*")


def collect(home: Path, names: Sequence[str], settings: Mapping[str, Found], now: float) -> dict[str, str]:
    """File name → text. A device that cannot be read is told as the error that it is."""
    files = {"versions.json": _json(_versions(now)), "settings.json": _json(_settings(settings))}
    secrets: set[str] = set(_passwords(str(settings["proxy"].value or "")))
    for name in names:
        folder = device_folder(home, name)
        try:
            record, kept = Device.peek(folder)
        except SmartlicError as error:
            files[f"{name}/error.json"] = _json(error.as_dict())
        else:
            data = {"record": record.to_data(), "settings": msgspec.to_builtins(kept)}
            secrets |= secrets_in(data)
            files[f"{name}/device.json"] = _json(data)
            files[f"{name}/log.txt"] = "".join(f"{_line(event)}\n" for event in record.history)
        files[f"{name}/files.json"] = _json(_listing(folder))
    return {name: scrubbed(text, secrets) for name, text in files.items()}


def secrets_in(data: Any) -> set[str]:
    """All values of secret fields, whole and line by line, and a proxy's password."""
    found: set[str] = set()
    for name, value in _strings(data):
        if name in _SECRET and value:
            forms = {value, unquote(value), quote(value, safe=""), msgspec.json.encode(value).decode()[1:-1]}
            found |= forms | {line for line in value.splitlines() if len(line) > 16 and "-----" not in line}
        elif name == "proxy":
            found.update(_passwords(value))
    return found


def scrubbed(text: str, secrets: set[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, REMOVED)
    return _TOKEN.sub(REMOVED, masked(_KEY.sub(REMOVED, text)))


def packed(files: Mapping[str, str], now: float) -> bytes:
    """A ZIP file of them."""
    buffer = io.BytesIO()
    date = time.gmtime(max(now, 315532800.0))[:6]  # ZIP knows no time before 1980
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            member = zipfile.ZipInfo(f"smartlic-support/{name}", date)
            member.external_attr = 0o600 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, text.encode("utf-8", "surrogateescape"))
    return buffer.getvalue()


def _strings(data: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(data, str):
        yield name, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _strings(value, key)
    elif isinstance(data, list):
        for value in data:
            yield from _strings(value, name)


def _passwords(proxy: str) -> Iterator[str]:
    try:
        password = urlsplit(proxy).password
    except ValueError:
        return
    if password:
        yield from {password, unquote(password)}


def _versions(now: float) -> dict[str, Any]:
    packages: dict[str, str | None] = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    python, system = sys.version.split()[0], platform.platform()
    return {"smartlic": __version__, "python": python, "platform": system, "at": now, "packages": packages}


def _settings(settings: Mapping[str, Found]) -> dict[str, Any]:
    return {
        name: {
            "value": masked(each.value) if isinstance(each.value, str) else each.value,
            "source": each.source,
        }
        for name, each in settings.items()
    }


def _listing(folder: Path) -> list[dict[str, Any]]:
    """Names, sizes and modes: what a damaged file holds stays where it is."""
    rows = []
    for path in sorted(folder.glob("*")):
        found = path.lstat()
        rows.append({"name": path.name, "size": found.st_size, "mode": f"{found.st_mode:o}"})
    return rows


def _line(event: Logged) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(event.at))} {event.text()}"


def _json(data: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(data, enc_hook=str), indent=2).decode()
