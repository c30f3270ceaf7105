"""How well do measuring methods measure, and how fast is our own code? Programs to run by hand."""
