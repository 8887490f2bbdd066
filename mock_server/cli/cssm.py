"""`smartlic-mock cssm`: the mock Cisco Smart Software Manager, at its portal."""

from __future__ import annotations

from typing import Any

import click

from mock_server.cli.clock import Time
from mock_server.cli.common import ask, rows_of, table
from mock_server.cli.files import read_text, write_text
from mock_server.domain.state import DEFAULT_CSSM_VIRTUAL_ACCOUNT, DEFAULT_SMART_ACCOUNT
from smartlic_client.cli.lazy import VerbGroup
from smartlic_client.cli.output import emit

_smart = click.option(
    "--smart-account", default=DEFAULT_SMART_ACCOUNT, show_default=True, help="Smart account in CSSM."
)
_virtual = click.option(
    "--virtual-account",
    default=DEFAULT_CSSM_VIRTUAL_ACCOUNT,
    show_default=True,
    help="Virtual account in CSSM.",
)
_times = click.option("--times", type=click.IntRange(1), help="Only the next so many requests.")


@click.group("cssm", cls=VerbGroup)
def command() -> None:
    """The mock CSSM: what is bought there, and what goes wrong with it."""


@command.command("status")
@click.pass_context
def status(context: click.Context) -> None:
    """Whether it runs, what it knows, and its faults."""
    found = ask(context, "cssm.status")
    if not found["running"]:
        emit(found, "The mock CSSM is stopped.")
        return
    lines = [
        "The mock CSSM runs.",
        f"Licensing root:       {found['root'] or 'none yet'}",
        f"Smart accounts:       {found['smart_accounts']}{', strict' if found['strict'] else ''}",
        f"Purchases:            {found['purchases']}",
        f"SSM On-Prem accounts: {found['on_prem_accounts']}",
        *(f"Fault:                {_fault(one)}" for one in found["faults"]),
    ]
    emit(found, "\n".join(lines))


@command.command("answer")
@click.argument("request", type=click.Path(exists=True, dir_okay=False))
@click.argument("answer", type=click.Path(dir_okay=False))
@click.pass_context
def answer(context: click.Context, request: str, answer: str) -> None:
    """Make the file ANSWER of the file REQUEST, which `smartlic-mock sync request-file` wrote."""
    from mock_server.domain.documents import MAX_DOCUMENT

    made = ask(context, "cssm.answer", request=read_text(request, MAX_DOCUMENT))
    write_text(answer, made["answer"])
    emit({"account": made["account"], "file": answer}, f"Wrote the answer for {made['account']} to {answer}")


# ---- its process ------------------------------------------------------------------------------------------
@command.command("stop")
@click.pass_context
def stop(context: click.Context) -> None:
    """End its process in order. Products, pages and trust anchor go on without it."""
    _process(context, "stop", "stopped")


@command.command("kill")
@click.pass_context
def kill(context: click.Context) -> None:
    """End its process as a crash would."""
    _process(context, "kill", "stopped")


@command.command("start")
@click.pass_context
def start(context: click.Context) -> None:
    """Start its process again, with all that it knew, and without faults."""
    _process(context, "start", "started")


def _process(context: click.Context, verb: str, done: str) -> None:
    found = ask(context, f"cssm.{verb}")
    emit(found, f"The mock CSSM is {done}." if found["changed"] else f"The mock CSSM was {done} already.")


# ---- faults -----------------------------------------------------------------------------------------------
@command.command("slow")
@click.argument("seconds", type=float)
@_times
@click.pass_context
def slow(context: click.Context, seconds: float, times: int | None) -> None:
    """Let SSM On-Prem wait SECONDS for each answer."""
    _set_fault(context, kind="slow", seconds=seconds, times=times)


@command.command("refuse")
@click.argument("reason")
@_times
@click.pass_context
def refuse(context: click.Context, reason: str, times: int | None) -> None:
    """Refuse what SSM On-Prem asks, with REASON."""
    _set_fault(context, kind="refuse", reason=reason, times=times)


@command.command("cut")
@_times
@click.pass_context
def cut(context: click.Context, times: int | None) -> None:
    """Cut the network between SSM On-Prem and CSSM; by file they still synchronize."""
    _set_fault(context, kind="cut", times=times)


@command.command("faults")
@click.option("--clear", is_flag=True, help="End them all.")
@click.pass_context
def faults(context: click.Context, clear: bool) -> None:
    """The faults that it has, on purpose."""
    if clear:
        done = ask(context, "cssm.fault.clear")
        emit(done, f"Cleared {done['cleared']}")
        return
    _listed(ask(context, "cssm.fault.list"))


def _set_fault(context: click.Context, **fields: Any) -> None:
    _listed(ask(context, "cssm.fault.set", **fields))


def _listed(found: dict[str, Any]) -> None:
    emit(found, "\n".join(map(_fault, found["faults"])) or "There is no fault.")


def _fault(fault: dict[str, Any]) -> str:
    said = {
        "slow": f"slow by {fault['seconds']:g} s",
        "refuse": f"refuses: {fault['reason']}",
        "cut": "the network to it is cut",
    }[fault["kind"]]
    return said + (f", {fault['times']} times" if fault["times"] else "")


# ---- accounts ---------------------------------------------------------------------------------------------
@command.command("strict")
@click.argument("state", type=click.Choice(["on", "off"]))
@click.pass_context
def strict(context: click.Context, state: str) -> None:
    """Whether an account that is named and not there is refused (on), or made (off, as at first)."""
    done = ask(context, "cssm.strict", strict=state == "on")
    emit(done, "Unknown accounts are refused." if done["strict"] else "Unknown accounts are made.")


@command.group("smart-account", cls=VerbGroup)
def smart_account() -> None:
    """Smart accounts in CSSM."""


@smart_account.command("create")
@click.argument("name")
@click.pass_context
def create_smart_account(context: click.Context, name: str) -> None:
    """Create the smart account NAME."""
    emit(ask(context, "cssm.smart-account.create", name=name), f"{name} is created")


@smart_account.command("list")
@click.pass_context
def list_smart_accounts(context: click.Context) -> None:
    """The smart accounts and their virtual accounts."""
    found = ask(context, "cssm.smart-account.list")
    rows = [[one["name"], ", ".join(one["virtual_accounts"])] for one in found["smart_accounts"]]
    emit(found, table(["Smart account", "Virtual accounts"], rows, "There is no smart account."))


@command.group("virtual-account", cls=VerbGroup)
def virtual_account() -> None:
    """Virtual accounts of a smart account in CSSM."""


@virtual_account.command("create")
@click.argument("name")
@_smart
@click.pass_context
def create_virtual_account(context: click.Context, name: str, smart_account: str) -> None:
    """Create the virtual account NAME."""
    done = ask(context, "cssm.virtual-account.create", name=name, smart_account=smart_account)
    emit(done, f"{name} is created in {smart_account}")


# ---- purchases --------------------------------------------------------------------------------------------
@command.group("purchase", cls=VerbGroup)
def purchase() -> None:
    """What was bought. It reaches a local account when that is synchronized."""


@purchase.command("add")
@click.argument("name")
@click.option("--tag", required=True, help="Entitlement tag, regid.…")
@click.option("--quantity", type=int, required=True)
@click.option("--kind", type=click.Choice(["PERPETUAL", "TERM"]), default="PERPETUAL", show_default=True)
@click.option("--start", type=Time(), help="From when it counts, such as 2027-01-31; by default always.")
@click.option("--end", type=Time(), help="Until when a term counts.")
@click.option("--id", "purchase_id", default="", help="By default the next number.")
@_smart
@_virtual
@click.pass_context
def add_purchase(context: click.Context, /, purchase_id: str, **fields: Any) -> None:
    """Buy licenses NAME of an entitlement for a virtual account in CSSM."""
    made = ask(context, "cssm.purchase.add", id=purchase_id, **fields)
    where = f"{made['smart_account']} / {made['virtual_account']}"
    emit(made, f"{made['id']}: {made['quantity']} {made['name']} for {where}")


@purchase.command("list")
@click.pass_context
def list_purchases(context: click.Context) -> None:
    """All purchases."""
    found = ask(context, "cssm.purchase.list")
    headers = ["Id", "License", "Quantity", "Kind", "Start", "End", "Smart account", "Virtual account"]
    fields = ("id", "name", "quantity", "kind", "start", "end", "smart_account", "virtual_account")
    emit(found, table(headers, rows_of(found["purchases"], *fields), "Nothing was bought."))


@purchase.command("remove")
@click.argument("purchase_id")
@click.pass_context
def remove_purchase(context: click.Context, purchase_id: str) -> None:
    """Take a purchase back: with the next synchronization its licenses are gone."""
    done = ask(context, "cssm.purchase.remove", id=purchase_id)
    emit(done, f"{done['id']} ({done['name']}) is gone")


# ---- SSM On-Prem ------------------------------------------------------------------------------------------
@command.group("on-prem", cls=VerbGroup)
def on_prem() -> None:
    """The local accounts of SSM On-Prem that have synchronized."""


@on_prem.command("list")
@click.pass_context
def list_on_prem(context: click.Context) -> None:
    """Each with what it is bound to, when it synchronized, and what it uses."""
    found = ask(context, "cssm.on-prem.list")
    headers = ["Account", "Cluster", "Smart account", "Virtual account", "Last sync", "In use"]
    fields = ("account", "cluster", "smart_account", "virtual_account", "last_sync")
    rows = rows_of(found["on_prem"], *fields)
    for row, one in zip(rows, found["on_prem"], strict=True):
        row.append(str(sum(one["usage"].values())))
    emit(found, table(headers, rows, "No local account has synchronized."))


@on_prem.command("remove")
@click.argument("account")
@click.option("--cluster", help="Only of this cluster.")
@click.pass_context
def remove_on_prem(context: click.Context, account: str, cluster: str | None) -> None:
    """End a registration, so that its virtual account can be used by another local account."""
    done = ask(context, "cssm.on-prem.remove", account=account, cluster=cluster)
    emit(done, f"{account} is no longer registered")
