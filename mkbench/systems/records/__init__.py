"""Rows that each system writes of a class group."""
