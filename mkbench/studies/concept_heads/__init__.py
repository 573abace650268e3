"""Attention heads that carry the mutual concepts of a class."""
