"""The HTML report: its page, its folds, and the files that it holds."""
