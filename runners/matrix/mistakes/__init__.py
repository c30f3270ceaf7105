"""Finds mistakes in a matrix, and says where they are and what was meant."""
