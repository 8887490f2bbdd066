"""A person at the pages, without scripts: follows links, fills in forms, reads what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lxml.html
import requests

from mock_server.library.cluster import Cluster

__all__ = ["Browser", "anchor_of"]


def anchor_of(ssm: Cluster, folder: Path) -> str:
    path = folder / "anchor.pem"
    path.write_text(ssm.trust_anchor)
    return str(path)


class Browser:
    """`page`: what was answered last."""

    def __init__(self, base: str, anchor: str) -> None:
        self.base = base.rstrip("/")
        self._anchor = anchor
        self.session = requests.Session()
        self.page: requests.Response

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def get(self, path: str, **query: Any) -> requests.Response:
        self.page = self.session.get(self.base + path, params=query, verify=self._anchor, timeout=10)
        return self.page

    def post(self, path: str, fields: dict[str, Any], **more: Any) -> requests.Response:
        self.page = self.session.post(self.base + path, fields, verify=self._anchor, timeout=10, **more)
        return self.page

    @property
    def tree(self) -> Any:
        return lxml.html.document_fromstring(self.page.text)

    @property
    def text(self) -> str:
        """What a person reads, its blanks made one."""
        return " ".join(self.tree.find("body").text_content().split())

    def sign_in(self, password: str, name: str = "admin") -> requests.Response:
        self.get("/sign-in")
        return self.submit("/sign-in", name=name, password=password)

    def form(self, action: str, /, **fixed: str) -> Any:
        """The form of the page for an action (of /do) or with an address; `fixed`: hidden values it has."""
        for form in self.tree.forms:
            values = dict(form.form_values())
            if action in (form.action, values.get("action")) and fixed.items() <= values.items():
                return form
        raise AssertionError(f"there is no form for {action} with {fixed} on the page")

    def submit(self, which: str, fixed: dict[str, str] | None = None, /, **fields: str) -> requests.Response:
        """Fill in a form of the page and send it; the question before what destroys is answered with yes."""
        form = self.form(which, **(fixed or {}))
        values = {**dict(form.form_values()), **fields}
        self.post(form.action, values)
        if "Are you sure?" in self.page.text:
            asked = self.tree.forms[1]
            self.post(asked.action, dict(asked.form_values()))
        return self.page

    def rows(self) -> list[list[str]]:
        """The rows of the page's table that has an id, without its actions."""
        rows = self.tree.xpath('//div[@id="table"]//tbody/tr')
        return [[" ".join(cell.text_content().split()) for cell in row.xpath("./td|./th")] for row in rows]
