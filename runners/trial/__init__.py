"""One trial: load a server, watch it, gather evidence and judge it."""
