"""Greedy, beam and sampling as one loop; constraints, penalties, scoring."""
