"""A form that changes something: checked, confirmed where it destroys, done, and told."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from mock_server.control import OPERATIONS
from mock_server.pages.actions import ACTIONS, CHANGED_MEANWHILE, fields_of, question, seen
from mock_server.pages.forms import read_form
from mock_server.pages.visit import NO_PAGE, NOT_ALLOWED, Visit

__all__ = ["do"]


async def do(visit: Visit) -> Response:
    values = await read_form(visit)
    action = ACTIONS.get(values.get("action", ""))
    if action is None:
        raise NO_PAGE(path=f"/do {values.get('action', '')[:100]}")
    assert visit.user is not None  # noqa: S101 - the route is for who is signed in
    if action.administrators and not visit.is_administrator:
        raise NOT_ALLOWED(user=visit.user.name)
    asked = fields_of(action, values)
    if action.about is not None and seen(visit.state, action.about, values) != values.get("seen"):
        raise CHANGED_MEANWHILE()
    if action.confirm and values.get("confirmed") != "yes":
        asking = question(action, values)
        return visit.render("confirm.html.j2", question=asking, values=values, back=_back(visit))
    done = await OPERATIONS[action.operation].run(
        visit.serving, msgspec.structs.replace(asked, by=visit.user.name)
    )
    if action.shows:
        return visit.render(action.shows, done=done, back=_back(visit), said=action.done)
    back = _back(visit)
    mark = "&" if "?" in back else "?"
    return visit.go(f"{back}{mark}done={action.operation}")


def _back(visit: Visit) -> str:
    return str(visit.request.state.back)
