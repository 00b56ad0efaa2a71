"""Files, codecs, batches, generated data."""
