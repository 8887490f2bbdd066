"""The products of the scenarios: what they do, and what the pages of instances and licenses show of them."""

from __future__ import annotations

from mock_server.demo.stage import Stage

__all__ = [
    "DEVICES",
    "FIRST",
    "SECOND",
    "expected",
    "listed",
    "make",
    "purchase",
    "register",
    "totals",
    "use",
]

DNA = "regid.2018-12.com.cisco.DNA_P_50M_A,1.0_100fb8b2-f5cc-459c-9253-ac77b827fd71"
UCM = "regid.2016-07.com.cisco.UCM_EnhancedUser,12.0_9a8b1f0e-5c32-4a0b-8f6d-2f1f8f0d7c11"
PI = "regid.2017-09.com.cisco.PI_Lifecycle,1.0_4be0c6a7-1a5c-4c1f-9d22-6f3f0e9a5b02"
LICENSES = {"DNA Premier 50M": (DNA, 10), "UCM Enhanced User": (UCM, 50), "PI Lifecycle": (PI, 20)}
"""Name → entitlement tag, and how many are purchased."""
C9300 = "regid.2017-05.com.cisco.C9300,v1_727af1d9-6c39-4444-b301-863f81445b72"
CUCM = "regid.2016-07.com.cisco.CUCM,12.0_5b1f6f0e-77b4-4a90-9d1c-0f8c2c9f1e10"
PRIME = "regid.2017-09.com.cisco.PrimeInfrastructure,3.0_0c9d2a6b-8a0f-4c53-9b6e-1d2f3a4b5c6d"

# name → (product id, serial number, software id, license, count)
DEVICES = {
    "annanr-39": ("C9300-24T", "FOC2705Y8X0", C9300, DNA, 3),
    "cucmpub": ("UCS-CUCM", "FCH2034V1KA", CUCM, UCM, 12),
    "pi37": ("PI-APL", "FCH1937V2QT", PRIME, PI, 5),
    "cucm-pub-30": ("UCS-CUCM", "FCH2110V0ZB", CUCM, UCM, 20),
}
FIRST, SECOND = ("annanr-39", "cucmpub"), ("pi37", "cucm-pub-30")


def purchase(stage: Stage, *, uses: int) -> str:
    """Licenses for all of them, and the ID token that they register with."""
    for name, (tag, quantity) in LICENSES.items():
        stage.ask("license.add", name=name, tag=tag, quantity=quantity)
    stage.token = stage.ask("token.create", uses=uses, days=1, description="demo")["token"]
    return f"licenses purchased, an ID token with {uses} uses made"


def make(stage: Stage, *names: str, url: str = "") -> str:
    """Make devices whose destination is `url`, by default the VIP's."""
    return "; ".join(stage.make_device(name, *DEVICES[name][:3], url or stage.url) for name in names)


def register(stage: Stage, *names: str) -> str:
    return "; ".join(stage.register(name) for name in names)


def use(stage: Stage, *names: str) -> str:
    return "; ".join(stage.use(name, *DEVICES[name][3:]) for name in names)


def listed(stage: Stage, *names: str) -> dict[str, dict[str, object]]:
    """What the page Product Instances shows of some of them."""
    found = stage.instances()
    return {
        name: {
            "product type": found[name]["product_type"],
            "has last contact": bool(found[name]["last_contact"]),
            "licenses": {used["license"]: used["count"] for used in found[name]["licenses"]},
        }
        for name in names
        if name in found
    }


def expected(*names: str) -> dict[str, dict[str, object]]:
    return {
        name: {
            "product type": DEVICES[name][0],
            "has last contact": True,
            "licenses": {_license(name): DEVICES[name][4]},
        }
        for name in names
    }


def _license(name: str) -> str:
    """The name of the license that a device uses."""
    return next(license_ for license_, (tag, _) in LICENSES.items() if tag == DEVICES[name][3])


def totals(*names: str) -> dict[str, int]:
    return {
        license_: sum(DEVICES[name][4] for name in names if _license(name) == license_)
        for license_ in LICENSES
    }
