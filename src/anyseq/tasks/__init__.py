"""The uses: each binds codecs, a model, an objective and metrics."""
