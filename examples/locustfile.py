"""A fleet over several machines: see docs/how-to/run-a-fleet.md."""

from locust import between

from smartlic_client.fleet.locust import DeviceUser


class Switch(DeviceUser):
    """Reports every 5 to 15 seconds."""

    wait_time = between(5, 15)
