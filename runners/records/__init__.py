"""What is written down, and how: the run folder."""
