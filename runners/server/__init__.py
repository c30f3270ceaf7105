"""A server under test: built, started, asked and stopped."""
