"""The report's tables; pure."""
