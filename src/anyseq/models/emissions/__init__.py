"""Emissions of vectors: the distribution over what comes next, as a part of a recipe."""
