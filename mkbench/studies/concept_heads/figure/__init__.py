"""Figures of concept heads: of models, and of the classes of a model."""
