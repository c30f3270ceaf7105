"""`python -m speedup`, or `python PATH/TO/speedup` from anywhere."""

import sys
from pathlib import Path

if not __package__:  # started by its path: what is beside the package is wanted, not what is in it
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from speedup.entry import main

sys.exit(main())
