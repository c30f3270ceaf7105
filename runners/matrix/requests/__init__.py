"""What a server is asked: requests, what is expected of answers, mixes, and lists written by others."""
