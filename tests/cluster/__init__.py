"""Tests of the cluster with real processes."""
