"""Answers to questions about a story, and replies in a dialogue."""
