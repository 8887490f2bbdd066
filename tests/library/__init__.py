"""The cluster as a library, and the pytest plugin."""
