"""A browser on a line: JSON commands in, JSON answers out. Run by the environment that has Playwright.

{"do": "goto", "url": …} → {"ok": true, "result": …} or {"ok": false, "error": …}
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

PATIENCE = 15_000


_PICTURES_ARE_THERE = (
    "() => [...document.images].filter(image => image.loading !== 'lazy')"
    ".every(image => image.naturalWidth > 0)"
)
"""Also that each could be loaded: a chart is a document of its own. A function: the pages let nothing be
evaluated, and an expression is when it has to be looked at again."""


class Tab:
    """One page in a browser's window of its own; what the console said of it is kept."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._axe = Axe()
        self.said: list[str] = []
        self.page: Any = None

    def open(self, scheme: str = "light", width: int = 1440, scripts: bool = True) -> None:
        if self.page is not None:
            self.page.context.close()
        context = self._browser.new_context(
            ignore_https_errors=True,
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
        )
        context.set_default_timeout(PATIENCE)
        self.page = context.new_page()
        self.said = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.said.append(f"error: {error}"))

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.said.append(f"{message.type}: {message.text}")

    def goto(self, url: str) -> int:
        return int(self.page.goto(url).status)

    def fill(self, selector: str, text: str) -> None:
        self.page.fill(selector, text)

    def click(self, selector: str) -> None:
        self.page.click(selector)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def text(self, selector: str = "body") -> str:
        return " ".join(self.page.inner_text(selector).split())

    def value(self, selector: str) -> str:
        return str(self.page.input_value(selector))

    def count(self, selector: str) -> int:
        return int(self.page.locator(selector).count())

    def see(self, text: str) -> None:
        """Wait until the page shows the text, without being asked for anew."""
        script = "wanted => document.body.innerText.replace(/\\s+/g, ' ').includes(wanted)"
        self.page.wait_for_function(script, arg=text)

    def gone(self, selector: str) -> None:
        self.page.wait_for_selector(selector, state="detached")

    def evaluate(self, script: str) -> Any:
        return self.page.evaluate(script)

    def shot(self, path: str, full: bool = True) -> None:
        self.page.wait_for_function(_PICTURES_ARE_THERE)
        self.page.screenshot(path=path, full_page=full)

    def axe(self) -> list[str]:
        """What axe-core has against the page as it is now."""
        found = self._axe.run(self.page).response["violations"]
        return [f"{one['id']}: {', '.join(node['html'][:150] for node in one['nodes'][:3])}" for one in found]

    def console(self) -> list[str]:
        """Errors and warnings since the last time."""
        said, self.said = self.said, []
        return said


def main() -> None:
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=sys.argv[1], args=arguments)
        tab = Tab(browser)
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = {"ok": True, "result": getattr(tab, request.pop("do"))(**request)}
            except Exception as error:  # noqa: BLE001 - whatever it is, the other end has to hear of it
                answer = {"ok": False, "error": str(error)[:2000]}
            print(json.dumps(answer), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
