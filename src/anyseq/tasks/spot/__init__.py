"""A word spotted in sound that goes on: a wake word."""
