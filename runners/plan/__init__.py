"""Decides what is measured, in which order and how often; nothing runs yet."""
