"""What changed between two servers or two runs, and over time: what may be said of it. Pure."""
