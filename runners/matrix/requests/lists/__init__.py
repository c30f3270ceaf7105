"""Reads requests from files that other programs wrote: HAR, lists of URLs, and targets of vegeta."""
