"""A run as the report sees it: cells, families, rows; pure."""
