"""Tagging: a label for every token of a text."""
