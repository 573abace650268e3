"""Metrics of systems that have no study of their own."""
