"""Concept heads: attention heads that write the mutual concepts of a class."""
