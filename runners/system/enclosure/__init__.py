"""Encloses a program with all that it starts, so that the kernel ends the whole of it at once."""
