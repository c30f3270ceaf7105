"""A server under test: built, started, probed and stopped."""
