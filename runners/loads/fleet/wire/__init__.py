"""Communication between the hosts of a fleet: links, sealed messages, clocks."""
