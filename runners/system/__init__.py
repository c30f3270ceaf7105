"""The operating system: processes, networks, counters, CPUs."""
