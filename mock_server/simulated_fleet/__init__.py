"""A fleet and its cluster in virtual time: a year in minutes (`smartlic-mock simulate`).

Devices are the client's own agents, and servers the domain's own decisions, each change on two copies. What
is left out is what takes real time: sockets, disks, heartbeats, and, if wanted, cryptography.
"""
