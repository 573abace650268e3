"""Accuracy while attention heads are ablated in the running model."""
