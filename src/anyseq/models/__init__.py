"""Encoders, decoders, and the models made of them."""
