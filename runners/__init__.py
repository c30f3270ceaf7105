"""From matrix.toml to recorded trials."""
