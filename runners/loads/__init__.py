"""Load generators: each is one module with the same small interface, found in `by_name`.

Which ones there are, and the tool that each runs, is written here: a plan needs no more, and imports none of them.
"""

TOOLS = {"wrk": "wrk", "locust": "locust", "h2load": "h2load", "fleet": "locust"}  # a fleet's messages go by Locust
PACED_LOAD = "h2load"  # offers a rate instead of a closed loop
