"""What may be said: comparisons, verdicts, headlines; pure."""
