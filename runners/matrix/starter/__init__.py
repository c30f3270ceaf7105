"""Writes a first matrix for a server of your own, from what was learned about it."""
