"""Random sequences of faults on the cluster, simulated and real, with devices at work meanwhile."""
