"""A noisy neighbour: uses all of a CPU until it is ended."""

from __future__ import annotations

if __name__ == "__main__":
    while True:
        pass
