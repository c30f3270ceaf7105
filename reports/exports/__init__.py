"""A run's numbers in the formats of other programs: one module per format, each with one pure function."""
