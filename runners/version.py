"""The version of http-speedup; the one place where it stands."""

VERSION = "0.1.0"
