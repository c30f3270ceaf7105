"""Servers, a load generator and a neighbour of known truth: small programs that import nothing of ours."""
