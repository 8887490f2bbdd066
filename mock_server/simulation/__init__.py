"""Nodes in one thread, with a clock, a network and processes of their own: one seed gives one run."""
