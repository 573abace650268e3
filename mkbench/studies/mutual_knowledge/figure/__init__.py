"""Figures of mutual knowledge: of one run, and of models side by side."""
