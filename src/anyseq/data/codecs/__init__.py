"""Characters, words, subwords."""
