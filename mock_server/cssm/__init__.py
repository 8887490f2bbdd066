"""The mock Cisco Smart Software Manager: smart accounts, purchases, and the root of the licensing PKI.

`state` is what it knows and how commands change it (pure); `store` keeps that on disk; `root` holds the
licensing root; `service` answers requests; `main` is its process; `port` is how SSM On-Prem reaches it.
"""
