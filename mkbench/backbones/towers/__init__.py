"""Image towers: patch features, attention, and the terms over which an embedding adds up."""
