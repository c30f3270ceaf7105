"""The command line of http-speedup."""
