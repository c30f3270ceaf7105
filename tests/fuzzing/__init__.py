"""Runs the tests of tests/unit/fuzz for minutes instead of seconds, guided by which of our branches inputs reach."""
