"""What a page's form has sent, and whether it is one of this session's."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import UploadFile

from mock_server.errors import CallerError, problem
from mock_server.pages.visit import Visit

__all__ = ["STALE_FORM", "read_form"]

STALE_FORM = problem(
    "stale-form",
    CallerError,
    "The form does not belong to this session, so nothing was done.",
    "Open the page again and send it from there.",
)
BAD_BODY = problem(
    "bad-form-body",
    CallerError,
    "What was sent is no form.",
    "Send it from the page.",
)
_FIELDS: Final = 100
_LONGEST: Final = 8 << 20


async def read_form(visit: Visit) -> dict[str, str]:
    """The fields as text, files too. Raises stale-form where the CSRF token is not this session's."""
    try:
        form = await visit.request.form(max_files=5, max_fields=_FIELDS, max_part_size=_LONGEST)
    except Exception as error:  # the parser's own errors, of several libraries
        raise BAD_BODY() from error
    values: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            text = (await value.read(_LONGEST)).decode("utf-8", "replace")
            if text or name not in values:
                values[name] = text
        elif value or name not in values:
            values[name] = value
    await form.close()  # its files are temporary ones
    back = values.get("back", "")
    visit.request.state.back = back if is_local(back) else "/"
    if not visit.site.sessions.is_form_token(visit.session, values.get("csrf", "")):
        raise STALE_FORM()
    return values


def is_local(path: str) -> bool:
    """Whether it is a page of this server: a path, and nothing that a browser would take for a host."""
    return (
        path.startswith("/")
        and not path.startswith(("//", "/\\"))
        and path.isprintable()
        and len(path) < 2000
    )
