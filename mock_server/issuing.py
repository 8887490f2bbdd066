"""The cluster's own certificates: the first ones, and those with a new Host Common Name (B1.5)."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence

from mock_server import pki
from mock_server.domain import accounts, administration, events
from mock_server.domain.state import DEFAULT_ACCOUNT, DEFAULT_CSSM_VIRTUAL_ACCOUNT, DEFAULT_SMART_ACCOUNT
from mock_server.serving import Serving, key_name
from smartlic_client.protocol import signing

__all__ = ["first_certificates", "keys_of", "own_browser_certificate", "renew", "served_hosts"]

_RENEW_BEFORE = 30  # days
_ANSWERS_NAME = "SSM On-Prem licensing answers"


def served_hosts(serving: Serving) -> list[str]:
    """The addresses at which pages are served: of both nodes, and the VIP."""
    config = serving.context.config
    return [config.nodes.primary.host, config.nodes.secondary.host, config.vip.host]


async def first_certificates(
    serving: Serving, also: Sequence[events.Event] = (), more_keys: Mapping[str, bytes] = {}
) -> None:
    """A new server: a local account, its own CA, and the Primary's address as first Host Common Name.

    `also`, `more_keys`: what else a new server begins with."""
    now = datetime.datetime.now(datetime.UTC)
    context = serving.context
    alone = context.config.mode == "stand-alone"
    name = context.config.node(context.name if alone else "primary").host
    certificates: dict[str, list[str]] = {}
    keys: dict[str, bytes] = {}
    ca_key, id_key = signing.new_key(), signing.new_key()
    ca_chain = await serving.cssm.certify_authority("SSM On-Prem CA", ca_key.public_key())
    root = await serving.cssm.anchor()
    authority = pki.Issuer(ca_chain[0], ca_key, ca_chain)
    _, id_chain = pki.new_id_authority(authority, "SSM On-Prem ID CA", id_key.public_key(), now=now)
    for title, key, chain in (("ca", ca_key, ca_chain), ("id-ca", id_key, id_chain)):
        certificates[title] = pki.der_chain(chain)
        keys[key_name(title, chain[0])] = signing.dump_key(key).encode()
    made = {
        "answers": authority.leaf(_ANSWERS_NAME, pki.ANSWERS, now=now),
        "product": authority.leaf(name, pki.PRODUCT, now=now, alternative_names=[name]),
        "browser": _browser(serving, authority, name, now),
    }
    certificates |= _chains(made)
    keys |= {**keys_of(made), **more_keys}
    installed = events.CertificatesInstalled(served_name=name, generation=1, certificates=certificates)
    kept = events.AnchorKept(root=pki.der_chain([root])[0])
    account = accounts.create_account(
        serving.state, DEFAULT_ACCOUNT, DEFAULT_SMART_ACCOUNT, DEFAULT_CSSM_VIRTUAL_ACCOUNT
    )
    await serving.commit("system", [events.CommonNameSet(name=name), installed, kept, *account, *also], keys)


async def renew(serving: Serving, by: str) -> bool:
    """New certificates, if every active account is synchronized since another name was set, or if the
    present ones end soon. An uploaded browser certificate stays. True: there are new ones."""
    now = datetime.datetime.now(datetime.UTC)
    settings = serving.state.settings
    own = ["product"] if settings.browser_key else ["product", "browser"]
    other_name = administration.regeneration_due(serving.state)
    ending = any(pki.ends_within(serving.certificates(title)[0], _RENEW_BEFORE, now) for title in own)
    if not other_name and not ending:
        return False
    name = settings.common_name if other_name else settings.served_name
    authority = serving.issuer("ca")
    made = {"product": authority.leaf(name, pki.PRODUCT, now=now, alternative_names=[name])}
    if "browser" in own:
        made["browser"] = _browser(serving, authority, name, now)
    installed = events.CertificatesInstalled(
        served_name=name,
        generation=settings.generation + 1,
        certificates=_chains(made),
    )
    await serving.commit(by, [installed], keys_of(made))
    serving.renew_tls()
    return True


def _chains(made: Mapping[str, pki.Issued]) -> dict[str, list[str]]:
    return {title: issued.der_chain for title, issued in made.items()}


def keys_of(made: Mapping[str, pki.Issued]) -> dict[str, bytes]:
    """The private keys of new certificates, by the names that they have in the key store."""
    return {key_name(title, issued.certificate): issued.key_pem for title, issued in made.items()}


def own_browser_certificate(serving: Serving) -> pki.Issued:
    """A browser certificate of the cluster's own, with the name that is served."""
    now = datetime.datetime.now(datetime.UTC)
    return _browser(serving, serving.issuer("ca"), serving.state.settings.served_name, now)


def _browser(serving: Serving, authority: pki.Issuer, name: str, now: datetime.datetime) -> pki.Issued:
    """CN and the same name as SAN (names, "Measured"), and all addresses that pages are served at."""
    hosts = [name, *served_hosts(serving)]
    return authority.leaf(name, pki.BROWSER, now=now, alternative_names=hosts)
