"""Runs of both systems of one model: mutual knowledge beside the heads that carry it."""
