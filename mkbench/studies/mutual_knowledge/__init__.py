"""Mutual information of models side by side."""
