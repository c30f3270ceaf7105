"""`python -m speedup`, or `python PATH/TO/speedup` from anywhere."""

import os
import sys

if not __package__:  # started by its path: what is beside the package is wanted, not what is in it
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))  # noqa: PTH120 - pathlib is slow to import

from speedup.early import begin

begin()

from speedup.entry import run  # noqa: E402 - a signal during this import is one line as well

run()
