"""How well do measuring methods measure? Programs to be run by hand, on servers of known truth."""
