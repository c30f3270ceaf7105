"""The version of http-speedup, defined here and nowhere else."""

VERSION = "0.1.0"
