"""Estimates, intervals, comparisons and histograms; pure."""
