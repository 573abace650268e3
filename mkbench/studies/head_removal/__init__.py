"""Worst-group accuracy without some attention heads."""
