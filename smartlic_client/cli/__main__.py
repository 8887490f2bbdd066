"""`python -m smartlic_client.cli` is `smartlic`."""

from smartlic_client.cli import main

main()
