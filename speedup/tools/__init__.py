"""Commands around measuring: tools, files to begin with, completion."""
