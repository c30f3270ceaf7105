"""What `speedup compare` is made of: its two sides, how they are measured, and how the answer is shown."""
