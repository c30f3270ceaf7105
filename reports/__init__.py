"""From recorded trials to tables, plots and one HTML file."""
