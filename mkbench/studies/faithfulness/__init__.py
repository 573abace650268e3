"""Faithfulness of explanations, and their agreement with ground truth."""
