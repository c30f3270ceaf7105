"""What travels between the hosts of a fleet: links, sealed messages, clocks."""
