"""Data that needs no download: generated, or taken from a dependency."""
