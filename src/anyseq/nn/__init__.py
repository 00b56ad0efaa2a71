"""Blocks without roles: cells, attention, positions, emissions, losses."""
