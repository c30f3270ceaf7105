"""Attacks real runs with faults that a seed draws, and counts what they lose, leave behind or name wrongly."""
