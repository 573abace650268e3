"""Comparison of runs with published tables."""
