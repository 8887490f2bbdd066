"""`python -m mock_server.cli` is `smartlic-mock`."""

from mock_server.cli import main

main()
