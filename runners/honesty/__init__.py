"""What a server must do before it is timed."""
