"""`speedup selftest`: injects known faults into real trials, and compares what the harness reports with the truth.

`cases` lists what is injected and which check must catch it, `fakes` are the faulty programs, `judging` compares, and
`session` runs all cases.
"""
