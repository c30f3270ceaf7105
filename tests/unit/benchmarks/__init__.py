"""Tests of the project's own benchmarks."""
