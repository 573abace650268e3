"""Texts and labels of attention heads."""
