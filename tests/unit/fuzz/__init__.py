"""Readers of foreign input, given mutated input: only their own errors, and no hang."""
