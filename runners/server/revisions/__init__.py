"""Revisions of a repository, built side by side: clean checkouts, bisection, and whether two builds are one program."""
