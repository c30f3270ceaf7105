"""The server's side of a fleet: its members, their orders, their answers."""
