"""Pointing at elements of the source."""
