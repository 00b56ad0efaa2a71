"""Forecasting: the next rows of a series, with intervals."""
