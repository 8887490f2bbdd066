"""The REST API on the GUI listener, as automation for SSM On-Prem uses it (server.md, "REST API")."""
