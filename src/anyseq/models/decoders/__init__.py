"""The unfolds."""
