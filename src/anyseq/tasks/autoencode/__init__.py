"""Autoencoding: a sequence into one vector, and back."""
