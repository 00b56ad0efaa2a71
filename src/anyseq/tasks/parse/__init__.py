"""Parsing: a tree over the words of a sentence."""
