"""Tests of what `speedup compare` is made of."""
