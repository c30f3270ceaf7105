"""Learns about a server that nobody has described: starts it once, finds its port, asks it, and ends it."""
