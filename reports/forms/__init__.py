"""One module per form of a report: HTML, Markdown, text, downloads, an index."""
