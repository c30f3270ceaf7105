"""The programs that servers and load generators need: found, or installed."""
