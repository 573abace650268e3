"""Queries to the attention heads of a finished run."""
