"""Tests of the cluster's and the journal's parts."""
