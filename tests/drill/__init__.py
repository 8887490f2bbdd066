"""Faults drawn from a seed, on a whole cluster with devices and CSSM in one thread: `make drill`."""
