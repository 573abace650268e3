"""Similarity of class token and patches over the layers of a model."""
