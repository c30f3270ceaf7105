"""Whether the numbers can be believed: checks, notices, consistency rules; pure."""
