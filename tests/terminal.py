"""A program at a terminal of its own: type keys, wait for what is shown."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time
from types import TracebackType

from tests.support import Program

_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07|\r|\x07")


class Terminal:
    """`seen` is all that was shown, without what moves the cursor."""

    def __init__(self, program: Program, *arguments: str, **environment: str) -> None:
        self._main, other = pty.openpty()
        settings = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "COLUMNS": "120", **environment}
        self.process = subprocess.Popen(
            program.command(*arguments),
            stdin=other,
            stdout=other,
            stderr=other,
            env={**program.environment, **settings},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(other, termios.TIOCSCTTY, 0),
        )
        os.close(other)
        self._raw = b""
        self._read_to = 0

    @property
    def seen(self) -> str:
        return _ESCAPES.sub(b"", self._raw).decode("utf-8", "replace")

    def keys(self, keys: str) -> None:
        os.write(self._main, keys.encode())

    def expect(self, *texts: str, within: float = 15.0) -> str:
        """Wait until these are shown, in this order, after what was expected before; what came since then."""
        until = time.monotonic() + within
        begin = self._read_to
        for text in texts:
            while (found := self.seen.find(text, self._read_to)) < 0:
                left = until - time.monotonic()
                assert left > 0, f"not shown: {text!r}\n{self.seen[begin:]}"
                assert self._more(left), f"it ended, and did not show {text!r}\n{self.seen[begin:]}"
            self._read_to = found + len(text)
        return self.seen[begin : self._read_to]

    def ended(self, within: float = 15.0) -> int:
        """Its exit code, once it has ended."""
        until = time.monotonic() + within
        while self._more(max(0.0, until - time.monotonic())):
            assert time.monotonic() < until, f"it goes on:\n{self.seen}"
        return self.process.wait(within)

    def _more(self, seconds: float) -> bool:
        if not select.select([self._main], [], [], seconds)[0]:
            return True
        with contextlib.suppress(OSError):  # the end of a terminal
            if chunk := os.read(self._main, 4096):
                self._raw += chunk
                return True
        return False

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._main)
