"""What can be done on the pages: each is an operation of `control`, as the command line's verbs are.

An action that destroys asks before, on a page of its own or, with scripts, in a dialog. A form says what it
has seen of the thing that it changes: who comes second to the same thing is told so.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from mock_server.control import OPERATIONS
from mock_server.domain import users
from mock_server.domain.state import State, pool_key
from mock_server.errors import CallerError, problem

__all__ = ["ACTIONS", "CHANGED_MEANWHILE", "Action", "fields_of", "question", "seen"]

CHANGED_MEANWHILE = problem(
    "changed-meanwhile",
    CallerError,
    "Somebody else has changed it since you opened the page, so nothing was done.",
    "Go back, look at what it is now, and do it again if it is still right.",
)
BAD_FORM = problem(
    "bad-form",
    CallerError,
    "The form is not filled in rightly: {why}.",
    "Go back and correct it.",
)

Values = Mapping[str, str]


@dataclass(frozen=True)
class Action:
    """`done`: what is said afterwards. `confirm`: what is asked before; it may name the form's fields.

    `about`: kind and field of what it changes, see `seen`. `shows`: the template of an answer that is shown
    once and kept nowhere, such as a token.
    """

    operation: str
    done: str
    confirm: str = ""
    about: tuple[str, str] | None = None
    administrators: bool = False
    shows: str = ""


def _admin(operation: str, done: str, **more: Any) -> Action:
    return Action(operation, done, administrators=True, **more)


_ACCOUNT: Final = ("account", "name")
_OF_ACCOUNT: Final = ("account", "account")
_INSTANCE: Final = ("instance", "instance")

_ALL: Final = (
    Action("token.create", "The token is made.", shows="shown_token.html.j2"),
    Action(
        "token.revoke",
        "The token is revoked.",
        confirm="Revoke the token {token_id}? Products cannot register with it any more.",
    ),
    Action("instance.rename", "The product instance is renamed.", about=_INSTANCE),
    Action("instance.transfer", "The product instance is transferred.", about=_INSTANCE),
    Action(
        "instance.remove",
        "The product instance is removed.",
        confirm="Remove the product instance {title}? It has to register again then.",
        about=_INSTANCE,
    ),
    Action("license.transfer", "The licenses are transferred.", about=("pool", "license")),
    Action("virtual-account.create", "The virtual account is made."),
    Action(
        "virtual-account.delete",
        "The virtual account is deleted.",
        confirm="Delete the virtual account {name}? Its licenses go back to Default.",
    ),
    _admin("account.request", "The account is requested."),
    _admin("account.create", "The account is active."),
    _admin("account.approve", "The account is active.", about=_ACCOUNT),
    _admin("account.activate", "The account is active.", about=_ACCOUNT),
    _admin(
        "account.refuse", "The request is refused.", confirm="Refuse the request for {name}?", about=_ACCOUNT
    ),
    _admin(
        "account.deactivate",
        "The account is inactive.",
        confirm="Deactivate {name}? Its products are refused until it is activated again.",
        about=_ACCOUNT,
    ),
    _admin(
        "account.delete",
        "The account is deleted.",
        confirm="Delete the account {name} with its virtual accounts, tokens and licenses?",
        about=_ACCOUNT,
    ),
    _admin("synchronize", "Synchronized with CSSM."),
    _admin("sync.schedule", "The schedule is set.", about=_OF_ACCOUNT),
    _admin("sync.sign-in", "Signed in to CSSM."),
    _admin("sync.request-file", "The request is made.", shows="shown_file.html.j2"),
    _admin("sync.answer-file", "The answer is taken."),
    _admin("common-name", "The Host Common Name is set.", about=("settings", "")),
    _admin("browser-certificate.csr", "The request is made.", shows="shown_csr.html.j2"),
    _admin("browser-certificate.upload", "The certificate is served.", about=("settings", "")),
    _admin(
        "browser-certificate.reset",
        "The cluster's own certificate is served.",
        confirm="Remove the uploaded browser certificate, and the request for one?",
    ),
    _admin("user.add", "The user is added."),
    _admin("user.password", "The password is changed.", about=("user", "name")),
    _admin(
        "user.remove",
        "The user is removed.",
        confirm="Remove the user {name}? The user's sessions end.",
        about=("user", "name"),
    ),
    _admin("api-client.create", "The API client is made.", shows="shown_client.html.j2"),
    _admin(
        "api-client.renew",
        "The API client has a new secret.",
        confirm="Make a new secret for {title}? The former one and its access tokens end.",
        shows="shown_client.html.j2",
    ),
    _admin(
        "api-client.delete",
        "The API client is deleted.",
        confirm="Delete the API client {title}? Its access tokens end.",
    ),
)
ACTIONS: Final[Mapping[str, Action]] = {action.operation: action for action in _ALL}


def fields_of(action: Action, values: Values) -> Any:
    """The operation's form out of a page's: an empty field is one that is not given."""
    form = OPERATIONS[action.operation].form
    names = {field.name for field in msgspec.structs.fields(form)}
    given: dict[str, Any] = {name: value for name, value in values.items() if name in names and value != ""}
    if isinstance(given.get("accounts"), str):
        given["accounts"] = [given["accounts"]]
    try:
        return msgspec.convert(given, form, strict=False)
    except msgspec.ValidationError as error:
        raise BAD_FORM(why=str(error)) from None


def question(action: Action, values: Values) -> str:
    return action.confirm.format_map(defaultdict(str, values))


def seen(state: State, about: tuple[str, str], values: Values) -> str:
    """A digest of what a form can change, as it is now; "" where it is not there."""
    kind, name = about
    facts = _FACTS[kind](state, values, values.get(name, ""))
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16] if facts is not None else ""


def _account(state: State, _values: Values, name: str) -> Any:
    account = state.accounts.get(name)
    return account and (account.name, account.status.value, account.reason, account.schedule)


def _instance(state: State, _values: Values, piid: str) -> Any:
    instance = state.instances.get(piid)
    return instance and (instance.name, instance.virtual_account)


def _pool(state: State, values: Values, tag: str) -> Any:
    pool = state.pools.get(pool_key(values.get("account", ""), values.get("virtual_account", ""), tag))
    return pool and sorted((lot.id, lot.quantity) for lot in pool.lots.values())


def _settings(state: State, _values: Values, _name: str) -> Any:
    return (state.settings.common_name, state.settings.browser_request)


def _user(state: State, _values: Values, name: str) -> Any:
    user = state.users.get(name)
    return user and users.stamp(user)


_FACTS: Final[Mapping[str, Callable[[State, Values, str], Any]]] = {
    "account": _account,
    "instance": _instance,
    "pool": _pool,
    "settings": _settings,
    "user": _user,
}
