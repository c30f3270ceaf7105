"""Honesty gates: what a server must do, seen from outside over plain sockets, before it is timed.

`talk` speaks HTTP/1.1 over a socket. `single` has the gates that need a connection or two; `slow`, `crowd` and
`garbage` have those that need much data or many connections. `examine` runs all gates against one server.
"""

from runners.honesty.gates.examine import ALL, examine
from runners.honesty.gates.talk import Target
from runners.honesty.gates.usage import many_files

__all__ = ["ALL", "Target", "examine", "many_files"]
