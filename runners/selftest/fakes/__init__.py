"""Servers, a load generator and a neighbour with known faults: small programs that import nothing of ours."""
