"""A noisy neighbour: uses a whole CPU until it is stopped."""

from __future__ import annotations

if __name__ == "__main__":
    while True:
        pass
