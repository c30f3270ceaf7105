"""What is recorded, and how: the run folder."""
