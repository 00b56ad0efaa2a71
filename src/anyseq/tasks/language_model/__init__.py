"""Language models: texts from nothing, or going on from a prompt."""
