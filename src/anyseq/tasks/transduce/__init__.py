"""Transduction: characters to characters."""
