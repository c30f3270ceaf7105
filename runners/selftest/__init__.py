"""`speedup selftest`: faults of known truth, each run through a real trial, and what the harness said of them.

`cases` lists what is injected and which check must name it; `fakes` are the faulty programs; `judging` compares;
`session` runs all and prints the table.
"""
