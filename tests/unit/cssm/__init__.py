"""The mock CSSM without a process, and what SSM On-Prem makes of its answers."""
