"""One trial: start a server, put load on it, watch it, gather evidence and judge it."""
