"""Accuracy of trained classifiers beside zero-shot classification."""
