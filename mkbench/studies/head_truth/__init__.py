"""Heads with ground truth: what of a rendered image each head writes, and whether its label says so."""
