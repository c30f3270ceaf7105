"""Honesty gates: what a server must do, seen from outside over plain sockets, before it is timed.

`answers` reads HTTP/1.1 byte by byte and `talk` speaks it; `single` holds the gates that need a connection or two,
`slow`, `crowd` and `garbage` those that need much or many; `examine` runs all of them against one server.
"""

from runners.honesty.gates.examine import ALL, examine
from runners.honesty.gates.talk import Target
from runners.honesty.gates.usage import many_files

__all__ = ["ALL", "Target", "examine", "many_files"]
