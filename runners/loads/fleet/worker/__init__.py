"""The side of a fleet that loads the server."""
