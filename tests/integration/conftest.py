"""What integration tests share."""

from __future__ import annotations

from tests.support.fixtures import bench, server, shelf, wire

__all__ = ["bench", "server", "shelf", "wire"]
