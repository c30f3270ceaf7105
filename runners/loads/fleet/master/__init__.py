"""The side of a fleet that runs the server: its members, their orders, their answers."""
