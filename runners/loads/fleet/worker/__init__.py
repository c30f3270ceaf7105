"""The side of a fleet that generates the load."""
