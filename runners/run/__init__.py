"""The only loop that measures: from a plan to recorded trials."""
