"""Readers of image towers: patch features, attention layers, and how embeddings add up."""
