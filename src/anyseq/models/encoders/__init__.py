"""The folds."""
