"""matrix.toml: its model, its errors with line and column, and the cells that it describes."""
