"""The REST API of SSM On-Prem, read and written by programs.

    with OnPremApi("https://VIP:8443", trust=anchors, client_id="…", client_secret="…") as api:
        for device in api.devices("SAP1", "Default"):
            print(device.instance_name, device.last_contact_date)

`calls` says which routes there are and what their answers mean, `talk` how one is asked: access token,
retries, what is never sent twice. Both are generators and do no input or output; `api` carries them out in
the calling thread, `api_async` in an event loop. `model` holds what is answered, `reading` reads it.

No public reference of the API exists: what is sent here is what public clients send, and what comes back is
read as liberally as it can be without making anything up.
"""

from smartlic_client.onprem.api import OnPremApi
from smartlic_client.onprem.api_async import AsyncOnPremApi
from smartlic_client.onprem.model import (
    Account,
    Alert,
    Device,
    Done,
    License,
    LicenseDetail,
    LicenseTransfer,
    LicenseUsage,
    NewToken,
    Secret,
    Subscription,
    Sudi,
    Token,
    VirtualAccount,
)

__all__ = [
    "Account",
    "Alert",
    "AsyncOnPremApi",
    "Device",
    "Done",
    "License",
    "LicenseDetail",
    "LicenseTransfer",
    "LicenseUsage",
    "NewToken",
    "OnPremApi",
    "Secret",
    "Subscription",
    "Sudi",
    "Token",
    "VirtualAccount",
]
